/** ClusterLink's form of the wire, served: its peers, and whoever speaks like them, reach the exports of this one. */
import type { PeerIdentity } from '../../fabric/files.ts';
import type { Trust } from '../../fabric/trust.ts';
import { AppError } from '../../api/errors.ts';
import { REASONS } from '../../api/reasons.ts';
import { describeCaller } from '../connection-ends.ts';
import { resetConnection } from '../relay.ts';
import { DRAIN_REVOCATION, type Revocation } from '../tunnels.ts';
import { makeAccessTokens } from './access-token.ts';
import { makeServeConnection, type ServeOptions } from './serve-connection.ts';
import { makeServedConnections, type Caller, type ServedConnection } from './served-connections.ts';

export interface ClusterLinkExporterOptions extends Omit<ServeOptions, 'tokens'> {
  readonly identity: () => PeerIdentity;
  /** In force now. */
  readonly trust: () => Trust;
}

export interface ClusterLinkExporter {
  accept(caller: Caller): void;
  /** Cuts what belongs to a peer that is not known any more, or shows a certificate that is not believed any more. */
  recheck(): void;
  /** Resolves when everything is reset. */
  close(): Promise<void>;
}

export function makeClusterLinkExporter(options: ClusterLinkExporterOptions): ClusterLinkExporter {
  const { routes, bounds, now, identity, trust, strangers, onRefused } = options;
  const tokens = makeAccessTokens({ keyPem: () => identity().keyPem, nowMs: Date.now });
  const connections = makeServedConnections({ bounds, now, onRefused });
  const serve = makeServeConnection({ ...options, tokens });

  /** This peer's own name is nobody else's, listed or not: its gateways have other ways to reach each other. */
  function isUnknown(peer: string): boolean {
    return !routes().peers.has(peer) && (strangers === undefined || peer === options.self.name);
  }

  function whyNot({ peer, certificate }: ServedConnection): Revocation | undefined {
    const distrust = trust().judge({ peer, certificate, nowMs: Date.now() });
    if (distrust !== undefined) return distrust;
    return isUnknown(peer)
      ? { reason: REASONS.PeerUnknown, message: `There is no Peer object for ${peer}.` }
      : undefined;
  }

  return {
    accept(caller) {
      const { peer, socket } = caller;
      if (isUnknown(peer)) {
        onRefused(REASONS.PeerUnknown, describeCaller(socket, peer));
        return resetConnection(socket, new AppError('ERR_STREAM_RESET', `peer ${peer}: it has no Peer object`));
      }
      // Each direction of a tunnel ends on its own.
      socket.allowHalfOpen = true;
      const connection = connections.enter(caller);
      if (connection !== undefined) void serve(connection);
    },
    recheck: () => connections.cutWhere(whyNot),
    close() {
      connections.cutWhere(() => DRAIN_REVOCATION);
      // Resets come in the next turn: whoever closes the connections below before would end them well.
      return new Promise((resolve) => setImmediate(resolve));
    },
  };
}
