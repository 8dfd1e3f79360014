/**
 * Connections of peers that speak ClusterLink's form to this gateway: who may have one, what it costs its peer, and how it is cut.
 * Each carries one request after the other, and in the end perhaps a tunnel; each counts as one stream of its peer.
 */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { AppError } from '../../api/errors.ts';
import { REASONS, type Reason } from '../../api/reasons.ts';
import { makeBucket, type Bucket } from '../../runtime/bucket.ts';
import type { Holding } from '../account.ts';
import { describeCaller } from '../connection-ends.ts';
import type { PeerBounds } from '../peer-bounds.ts';
import { resetConnection } from '../relay.ts';
import type { Revocation } from '../tunnels.ts';
import { CONNECTION_BYTES, IDLE_CONNECTIONS_PER_PEER_MAX, REQUESTS_PER_SECOND_MAX } from './limits.ts';

/** A caller whose certificate names `peer`; the handshake is done. */
export interface Caller {
  readonly peer: string;
  readonly socket: TLSSocket;
  /** With the chain that came with it. */
  readonly certificate: X509Certificate;
}

export interface ServedConnection extends Caller {
  /** The first head is read: until then it counts as half open. */
  readonly headRead: () => void;
  /** It waits for a request, until the result is called. */
  idle(): () => void;
  /** Whether the peer may ask one more question now; a refusal is counted. */
  mayAsk(): boolean;
  /** It has become a tunnel, which alone can end it well: told how to cut that. The result is called when it has ended. */
  carries(abort: (revocation: Revocation) => void): () => void;
  /** Bytes that wait in it and in what it is joined with. */
  holds(bytes: number): void;
  /** A request of up to so many bytes is being collected, until the result is called: that may be cut for want of memory, too. */
  collects(bytes: number): () => void;
  /** Ends in a reset, a tunnel with this reason. */
  cut(revocation: Revocation): void;
}

export interface ServedConnections {
  /** Undefined: refused, and reset. */
  enter(caller: Caller): ServedConnection | undefined;
  /** Cuts those of which it says why. */
  cutWhere(whyNot: (connection: ServedConnection) => Revocation | undefined): void;
  readonly count: number;
}

export interface ServedConnectionsOptions {
  readonly bounds: PeerBounds;
  readonly now: () => number;
  onRefused(reason: Reason, from: string): void;
}

/** What is counted for all connections of one peer. */
interface PeerShare {
  readonly connections: Set<ServedConnection>;
  /** The longest idle first. */
  readonly idle: Set<ServedConnection>;
  readonly requests: Bucket;
}

export function makeServedConnections({ bounds, now, onRefused }: ServedConnectionsOptions): ServedConnections {
  /** Of peers that have a connection. */
  const shares = new Map<string, PeerShare>();

  function shareOf(peer: string): PeerShare {
    const share = shares.get(peer) ?? {
      connections: new Set(),
      idle: new Set(),
      requests: makeBucket({ perSecondMax: REQUESTS_PER_SECOND_MAX, now }),
    };
    shares.set(peer, share);
    return share;
  }

  function makeConnection(caller: Caller, share: PeerShare): ServedConnection {
    const { peer, socket } = caller;
    const bound = bounds.of(peer);
    const { headRead, closed } = bound.stream();
    const own = bound.memory.hold();
    own.set(CONNECTION_BYTES);
    /** Only what a tunnel holds can be freed: the connection whose reader has taken nothing for the longest is cut. */
    let waiting: Holding | undefined;
    let abortTunnel: ((revocation: Revocation) => void) | undefined;
    const evict = (): void => {
      connection.cut({
        reason: REASONS.Overloaded,
        message: `Memory for ${peer} is short: this was read the longest ago.`,
      });
    };
    const connection: ServedConnection = {
      ...caller,
      headRead,
      idle() {
        share.idle.add(connection);
        const [longest] = share.idle;
        // As any HTTP server does: it has no answer to give, and a client asks again.
        if (share.idle.size > IDLE_CONNECTIONS_PER_PEER_MAX) longest?.socket.destroy();
        return () => share.idle.delete(connection);
      },
      mayAsk() {
        const may = share.requests.take();
        if (!may) bound.refuse('stream_opens');
        return may;
      },
      carries(abort) {
        abortTunnel = abort;
        waiting = bound.memory.hold(evict);
        return () => {
          abortTunnel = undefined;
          waiting?.set(0);
        };
      },
      holds: (bytes) => waiting?.set(bytes),
      collects(bytes) {
        const held = bound.memory.hold(evict);
        held.set(bytes);
        return () => held.set(0);
      },
      cut(revocation) {
        if (abortTunnel !== undefined) return abortTunnel(revocation);
        // A tunnel has its closing record; who has none, and did nothing wrong, is not told of.
        if (revocation.reason !== REASONS.Drained) onRefused(revocation.reason, describeCaller(socket, peer));
        resetConnection(socket, new AppError('ERR_STREAM_RESET', `peer ${peer}: ${revocation.message}`));
      },
    };
    socket.once('close', () => {
      share.connections.delete(connection);
      share.idle.delete(connection);
      if (share.connections.size === 0) shares.delete(peer);
      own.set(0);
      closed();
    });
    share.connections.add(connection);
    return connection;
  }

  const all = (): ServedConnection[] => [...shares.values()].flatMap(({ connections }) => [...connections]);

  return {
    enter(caller) {
      const { peer, socket } = caller;
      if (socket.destroyed) return undefined;
      const limit = bounds.of(peer).refusalOfStream();
      if (limit === undefined) return makeConnection(caller, shareOf(peer));
      onRefused(REASONS.Overloaded, describeCaller(socket, peer));
      resetConnection(socket, new AppError('ERR_BOUND_EXCEEDED', `peer ${peer}: no further connection is taken`));
      return undefined;
    },
    cutWhere(whyNot) {
      for (const connection of all()) {
        const why = whyNot(connection);
        if (why !== undefined) connection.cut(why);
      }
    },
    get count() {
      return all().length;
    },
  };
}
