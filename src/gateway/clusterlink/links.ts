/** Links to the gateways of peers that speak ClusterLink's form, and every TLS connection that was made for them. */
import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { DistrustError, type Distrust } from '../../fabric/distrust.ts';
import type { DialPeerResult } from '../handshake.ts';
import type { PeerAccount } from '../account.ts';
import { resetConnection } from '../relay.ts';
import { establishLink, type ClusterLinkLink, type LinkOptions } from './link.ts';
import type { Importer } from './authz.ts';

export interface LinksOptions {
  readonly self: Importer;
  readonly now: () => number;
  memoryOf(peer: string): PeerAccount;
  readonly onChange: LinkOptions['onChange'];
  readonly onClose: LinkOptions['onClose'];
}

export interface ClusterLinkLinks {
  /** As {@link establishLink}, whose errors it throws. */
  establish(found: {
    readonly first: LinkOptions['first'];
    readonly peer: string;
    readonly address: string;
    dial(signal: AbortSignal): Promise<DialPeerResult>;
  }): Promise<ClusterLinkLink>;
  /**
   * Ends connections, tunnels among them, whose certificate is not believed any more: each has shown one of its own, and a tunnel
   * may have outlived the link that it was opened over.
   */
  endUntrusted(
    judge: (shown: { readonly peer: string; readonly certificate: X509Certificate }) => Distrust | undefined,
  ): void;
}

interface Shown {
  readonly peer: string;
  /** Of its handshake, or of the one that this resumes. */
  readonly certificate: X509Certificate;
  /** What it ends by: the stream of its tunnel, once it is one, so that the reason is told. */
  readonly end: Duplex;
}

export function makeClusterLinkLinks({ self, now, memoryOf, onChange, onClose }: LinksOptions): ClusterLinkLinks {
  const connections = new Map<TLSSocket, Shown>();

  return {
    establish: (found) =>
      establishLink({
        ...found,
        self,
        now,
        memory: memoryOf(found.peer),
        onConnection(peer, { socket, certificate }) {
          connections.set(socket, { peer, certificate, end: socket });
          socket.once('close', () => connections.delete(socket));
        },
        onTunnel(socket, end) {
          const shown = connections.get(socket);
          if (shown !== undefined) connections.set(socket, { ...shown, end });
        },
        onChange,
        onClose,
      }),
    endUntrusted(judge) {
      for (const shown of connections.values()) {
        const why = judge(shown);
        if (why !== undefined) resetConnection(shown.end, new DistrustError(why));
      }
    },
  };
}
