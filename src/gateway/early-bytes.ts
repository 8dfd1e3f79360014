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
import { resetSocket } from '../runtime/reset-socket.ts';
import type { Holding, PeerAccount } from './account.ts';
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
  /** Of the peer behind the stream: what is kept is on its account, until another is asked. */
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
  /** No source is open, and none will be: nothing is kept any more. */
  release(): void;
}

const NOTHING = Buffer.alloc(0);

/** @param socket - paused, and read by nobody else until {@link EarlyBytes.handOver}; `allowHalfOpen`, so that its end ends nothing here. */
export function makeEarlyBytes(socket: Socket): EarlyBytes {
  return new KeptBytes(socket);
}

/** A connection has one, and most begin and end in a turn: an object, since closures would be a kilobyte. */
class KeptBytes implements EarlyBytes {
  readonly #socket: Socket;
  /** Its first bytes are those that are kept: pieces of a byte would else cost an object each. */
  #store: Buffer = NOTHING;
  #keptBytes = 0;
  #last: GivenBytes | undefined;
  #onData: ((chunk: Buffer) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get sentBytes(): number {
    return this.#last?.sentBytes ?? 0;
  }

  sentTo(stream: Duplex): number {
    return this.#last?.options.stream === stream ? this.#last.sentBytes : 0;
  }

  give(options: GiveOptions): Gift {
    this.#last?.count(0);
    const gift = new GivenBytes(options, this);
    this.#last = gift;
    if (this.#keptBytes > 0) gift.send(this.#store.subarray(0, this.#keptBytes), this.#keptBytes);
    const socket = this.#socket;
    if (this.#keptBytes < EARLY_BYTES_MAX && !socket.readableEnded) {
      // Not written as a property at once: V8 makes such a function old, and with it all that it refers to (runtime/line.ts).
      const onData = (chunk: Buffer): void => this.#keep(chunk, gift);
      this.#onData = onData;
      socket.on('data', this.#onData).resume();
    }
    gift.count(this.heldBytes);
    return gift;
  }

  /** The first piece, mostly all there is, stays where it is. */
  #keep(chunk: Buffer, gift: GivenBytes): void {
    const piece = chunk.subarray(0, EARLY_BYTES_MAX - this.#keptBytes);
    const bytes = this.#keptBytes + piece.length;
    if (this.#keptBytes === 0) this.#store = piece;
    else {
      if (bytes > this.#store.length) {
        const larger = Buffer.allocUnsafeSlow(Math.min(EARLY_BYTES_MAX, 2 * bytes));
        this.#store.copy(larger, 0, 0, this.#keptBytes);
        this.#store = larger;
      }
      piece.copy(this.#store, this.#keptBytes);
    }
    this.#keptBytes = bytes;
    if (bytes === EARLY_BYTES_MAX) {
      this.#socket.pause();
      if (piece.length < chunk.length) this.#socket.unshift(chunk.subarray(piece.length));
    }
    gift.send(piece, bytes);
    gift.count(this.heldBytes);
  }

  /** In memory. */
  get heldBytes(): number {
    return this.#store.length + heldBytesOf(this.#socket);
  }

  /** No more for whoever is given now. */
  stop(): void {
    if (this.#onData !== undefined) this.#socket.off('data', this.#onData);
    this.#onData = undefined;
    this.#socket.pause();
  }

  handOver(upstream: Duplex): number {
    const bytes = this.#keptBytes;
    const sentBytes = this.sentTo(upstream);
    if (sentBytes < bytes) upstream.write(this.#store.subarray(sentBytes, bytes));
    this.release();
    this.#last = undefined;
    return bytes;
  }

  release(): void {
    this.#store = NOTHING;
    this.#keptBytes = 0;
    this.#last?.count(0);
  }

  /** The memory is needed while nobody is asked: there is nothing to free it by but the client. */
  drop(): void {
    this.release();
    resetSocket(this.#socket);
  }
}

class GivenBytes implements Gift {
  sentBytes = 0;
  readonly options: GiveOptions;
  readonly #kept: KeptBytes;
  readonly #holding: Holding;
  #isOver = false;

  constructor(options: GiveOptions, kept: KeptBytes) {
    this.options = options;
    this.#kept = kept;
    this.#holding = options.memory.hold(() => (this.#isOver ? kept.drop() : options.evict()));
  }

  /** @param keptBytes - with this piece. In order: where one was held back, those after it are too. */
  send(piece: Buffer, keptBytes: number): void {
    const { stream } = this.options;
    if (stream.destroyed || this.sentBytes !== keptBytes - piece.length || !this.options.mayPass()) return;
    this.sentBytes += piece.length;
    stream.write(piece);
  }

  count(heldBytes: number): void {
    this.#holding.set(heldBytes);
  }

  stop(): void {
    this.#kept.stop();
    this.#isOver = true;
  }
}
