/**
 * What a client sends before its source has answered: it goes to the peer behind the CONNECT, so that it costs no round trip of its own,
 * and is kept until the answer, so that another source can get exactly the same bytes (ADR 25).
 *
 *     client ─▶ kept, up to 64 KiB ─┬─▶ the stream that is asked now
 *       ▲ paused from there on      ├─▶ the next one, where this one has certainly given them to nobody
 *                                   └─▶ a source that was sent none before its yes: when the tunnel begins
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PeerAccount } from './account.ts';
import { heldBytesOf } from './held-bytes.ts';
import { EARLY_BYTES_MAX, EARLY_HEARD_MS } from './limits.ts';

/** How the asking of one source has ended without a tunnel. */
export type Ending =
  /** The peer said no, in an answer to this request: before that it gives nothing to an endpoint. */
  | 'refused'
  /** The peer said beside the stream that it has not served it. */
  | 'unserved'
  /** The peer said why it has cut it: perhaps after a yes, which the reset has overtaken. */
  | 'cut'
  /** Reset without a word. */
  | 'reset'
  | 'session-lost'
  | 'overdue'
  /** Answered by something that is no answer to this request. */
  | 'malformed'
  /** The peer said yes, and the decision of this side had changed by then. */
  | 'revoked';

const NOBODY_HAD_THEM: ReadonlySet<Ending> = new Set(['refused', 'unserved']);

/** Whether an endpoint may have had the bytes that went with the request: then nobody else may get them. Pure. */
export function isSpent({ ending, sentBytes }: { readonly ending: Ending; readonly sentBytes: number }): boolean {
  return sentBytes > 0 && !NOBODY_HAD_THEM.has(ending);
}

/**
 * Whether a session may be trusted with them: it lives as far as can be known. Over one that has just died they would be lost, where a
 * client without them is led elsewhere. Pure.
 */
export function isFresh({ silentMs, rttMs = 0 }: { readonly silentMs: number; readonly rttMs?: number | undefined }) {
  return silentMs <= EARLY_HEARD_MS + 2 * rttMs;
}

export interface GiveOptions {
  readonly stream: Duplex;
  /** Of the peer behind the stream: what is kept is on its account. */
  readonly memory: PeerAccount;
  /** Asked before each piece: whether this side still lets it pass. */
  mayPass(): boolean;
  /** The memory is needed: the stream is to be reset. */
  evict(): void;
}

/** What one stream gets. */
export interface Gift {
  /** So far. */
  readonly sentBytes: number;
  /** No more: the client is paused. What was kept stays kept. */
  stop(): void;
}

export interface EarlyBytes {
  /** Begins to read the client, if that is not done yet; the stream gets what is there at once, and what comes as it comes. */
  give(options: GiveOptions): Gift;
  /** How many of them this one was given. */
  sentTo(stream: Duplex): number;
  /** How many the one was given that was asked last. */
  readonly sentBytes: number;
  /**
   * A tunnel to this upstream begins: it gets what it has not had. Nothing is kept from now on, and the client is the tunnel's to read.
   *
   * @returns how many bytes have gone there, then and now: they are bytes of the tunnel.
   */
  handOver(upstream: Duplex): number;
}

const NOTHING = Buffer.alloc(0);

/** @param socket - paused, and read by nobody else until {@link EarlyBytes.handOver}; `allowHalfOpen`, so that its end ends nothing here. */
export function makeEarlyBytes(socket: Socket): EarlyBytes {
  /** Its first bytes are those that are kept: pieces of a byte would else cost an object each. */
  let store: Buffer = NOTHING;
  let keptBytes = 0;
  let onPiece: ((piece: Buffer) => void) | undefined;
  let last: { readonly stream: Duplex; sentBytes: number } | undefined;

  function onData(chunk: Buffer): void {
    const piece = chunk.subarray(0, EARLY_BYTES_MAX - keptBytes);
    keep(piece);
    if (keptBytes === EARLY_BYTES_MAX) {
      socket.pause();
      if (piece.length < chunk.length) socket.unshift(chunk.subarray(piece.length));
    }
    onPiece?.(piece);
  }

  /** The first piece, mostly all there is, stays where it is. */
  function keep(piece: Buffer): void {
    const bytes = keptBytes + piece.length;
    if (keptBytes === 0) store = piece;
    else {
      if (bytes > store.length) {
        const larger = Buffer.allocUnsafeSlow(Math.min(EARLY_BYTES_MAX, 2 * bytes));
        store.copy(larger, 0, 0, keptBytes);
        store = larger;
      }
      piece.copy(store, keptBytes);
    }
    keptBytes = bytes;
  }

  function give({ stream, memory, mayPass, evict }: GiveOptions): Gift {
    const holding = memory.hold(evict);
    const gift = { stream, sentBytes: 0 };
    last = gift;
    const count = (): void => holding.set(store.length + heldBytesOf(socket));
    function send(piece: Buffer): void {
      // In order: where one was held back, those after it are too.
      if (!stream.destroyed && gift.sentBytes === keptBytes - piece.length && mayPass()) {
        gift.sentBytes += piece.length;
        stream.write(piece);
      }
    }
    if (keptBytes > 0) send(store.subarray(0, keptBytes));
    onPiece = (piece) => {
      send(piece);
      count();
    };
    if (keptBytes < EARLY_BYTES_MAX && !socket.readableEnded) socket.on('data', onData).resume();
    count();
    return {
      get sentBytes() {
        return gift.sentBytes;
      },
      stop() {
        socket.off('data', onData).pause();
        onPiece = undefined;
        holding.set(0);
      },
    };
  }

  const sentTo = (stream: Duplex): number => (last?.stream === stream ? last.sentBytes : 0);

  return {
    give,
    sentTo,
    get sentBytes() {
      return last?.sentBytes ?? 0;
    },
    handOver(upstream) {
      const bytes = keptBytes;
      const sentBytes = sentTo(upstream);
      if (sentBytes < bytes) upstream.write(store.subarray(sentBytes, bytes));
      store = NOTHING;
      keptBytes = 0;
      last = undefined;
      return bytes;
    },
  };
}
