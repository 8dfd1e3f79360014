/** What the streams of one session hold in memory, on the account of its peer: each by itself, so that one can be cut. */
import { ByNumber } from '../runtime/line.ts';
import type { Holding, PeerAccount } from './account.ts';
import { STREAM_BYTES } from './limits.ts';
import type { YamuxStream } from './yamux/stream.ts';

export interface SessionMemory {
  /** A stream was opened, or what it holds has changed, or it is gone. */
  onHeld(stream: YamuxStream): void;
  /** Bytes wait in the socket of the session: at most SOCKET_BYTES_MAX of data and CONTROL_BACKLOG_BYTES_MAX of control frames. */
  onQueued(bytes: number): void;
  /** The session has ended: nothing waits in its socket any more. */
  close(): void;
}

export interface SessionMemoryOptions {
  readonly account: PeerAccount;
  /** Whether this stream may be cut. Without its control stream a session would end. */
  mayEvict(stream: YamuxStream): boolean;
  evict(stream: YamuxStream): void;
}

export function makeSessionMemory({ account, mayEvict, evict }: SessionMemoryOptions): SessionMemory {
  /** By the id of the stream. */
  const holdings = new ByNumber<Holding>();
  /** What cannot be cut: the streams' own objects, and the socket. */
  const besides = account.hold();
  let queuedBytes = 0;
  const count = (): void => besides.set(holdings.size * STREAM_BYTES + queuedBytes);

  function add(stream: YamuxStream): Holding {
    const holding = account.hold(mayEvict(stream) ? () => evict(stream) : undefined);
    holdings.set(stream.id, holding);
    count();
    return holding;
  }

  return {
    onHeld(stream) {
      const known = holdings.get(stream.id);
      if (!stream.destroyed) return (known ?? add(stream)).set(stream.heldBytes);
      if (!holdings.delete(stream.id)) return;
      known?.set(0);
      count();
    },
    onQueued(bytes) {
      queuedBytes = bytes;
      count();
    },
    close() {
      // Streams that were cut are gone. One that both ends had ended lives until its reader has had all of it, and is held until then.
      queuedBytes = 0;
      count();
    },
  };
}
