/** One stream of a session: a Duplex with half-close, whose backpressure reaches from the reader here to the writer there. */
import { Duplex } from 'node:stream';
import { AppError } from '../../api/errors.ts';
import { FLAGS, FRAME_TYPES, type FrameHeader, violation } from './frame.ts';
import { HASTY_BYTES_MAX, STREAM_WRITE_BUFFER_BYTES, WINDOW_BYTES } from './limits.ts';
import type { Sender } from './scheduler.ts';
import { grantOf, measureMs, nextTarget } from './window.ts';
import type { Slab } from '../slabs/pool.ts';
import { ReceiveQueue } from './receive-queue.ts';

/** What a stream needs of its session. All of it does nothing once the session has ended. */
export interface StreamLink {
  /** Sends a frame without payload at once, ahead of data that waits. */
  sendControl(header: FrameHeader): void;
  /** Sends one data frame. Only within `sendFrame`. */
  sendData(header: FrameHeader, payload: readonly Buffer[]): void;
  /** The stream has bytes and window: `sendFrame` is to be called when it is its turn. */
  onSendable(stream: YamuxStream): void;
  /** Destroyed, nothing of it is left. */
  onGone(stream: YamuxStream): void;
  /** What it holds in memory has changed: {@link YamuxStream.heldBytes}. May reset the stream. */
  onHeld(stream: YamuxStream): void;
  /** What the peer may be promised on a stream on which it is promised so much beyond {@link WINDOW_BYTES} now. */
  windowBytesMax(beyondBytes: number): number;
  /** What the peer is promised beyond {@link WINDOW_BYTES} has changed. */
  onPromised(fromBytes: number, toBytes: number): void;
  /** Without what queues add to it; undefined before it was measured. */
  leastRttMs(): number | undefined;
  /** Milliseconds, monotonic. */
  now(): number;
}

/** What either end may send before the other one has granted anything. */
export interface InitialWindows {
  readonly receiveBytes: number;
  readonly sendBytes: number;
}

export interface StreamOptions {
  readonly id: number;
  readonly link: StreamLink;
  readonly openedBy: 'us' | 'peer';
  /** Absent: {@link WINDOW_BYTES} both ways. */
  readonly windows?: InitialWindows | undefined;
}

type WriteCallback = (error?: Error | null) => void;

/** Takes bytes at once. */
export interface Taker {
  /** They are lent by the slab. */
  take(bytes: Buffer, slab: Slab): void;
  /** After one or more of `take`: nothing follows at once. */
  takenAll(): void;
}

/**
 * Takes the first bytes that come, uncopied; undefined where the peer ends the stream instead. Must not throw.
 *
 * @returns what it does not need: from there on all is read as ever. Undefined: it needs more.
 */
export type HeadTaker = (bytes: Buffer | undefined) => Buffer | undefined;

/** A stream that did not end well: never a clean end, always this error. */
export function resetError(what: string, cause?: Error): AppError {
  return new AppError('ERR_STREAM_RESET', `stream: ${what}`, { retryable: true, cause });
}

/** One for all: a peer may reset thousands at once, and to describe where each was noticed would cost more than the rest of it. */
const RESET_BY_PEER = resetError('reset by the peer');

/**
 * Each direction ends on its own: `end()` sends FIN, and `end` is emitted only for a FIN that was received. Everything
 * else that ends a stream is a reset: `reset()`, or `destroy()` before both FINs, sends RST; a received RST and the loss
 * of the session destroy it with `ERR_STREAM_RESET`. Methods below "For the session" are not for others.
 *
 *     peer -> receiveData -> inbox -> push (one piece) -> reader
 *                            `------ the window -------'   a window update when the reader took half of it, or a quarter
 *     writer -> outbox -> sendFrame (a frame at most, send window) -> peer
 *     sendNow ---'
 */
export class YamuxStream extends Duplex {
  readonly id: number;

  /** Where its bytes go and come from: what waits there waits on behalf of this stream. Who sets it calls `measure`. */
  otherSide: Duplex | undefined;

  readonly #link: StreamLink;
  #isTaken: boolean;
  /** Made for whoever asks. */
  #acceptance: PromiseWithResolvers<void> | undefined;
  readonly #inbox = new ReceiveQueue();
  #readerWaits = false;
  #taker: Taker | undefined;
  #headTaker: HeadTaker | undefined;
  /** What the peer may still send. */
  #receiveWindow = WINDOW_BYTES;
  #sendWindow = WINDOW_BYTES;
  /** What the peer may be promised, outstanding and waiting here; it follows what the reader takes (window.ts). */
  #targetBytes = WINDOW_BYTES;
  #leastBytes = WINDOW_BYTES;
  #receivedBytes = 0;
  /** When, and at how much that the reader had taken, the target was last measured. */
  #measuredMs: number | undefined;
  #measuredBytes = 0;
  #beyondBytes = 0;
  /** Kept here for the scheduler. */
  bulkMs = -Infinity;
  turn: Sender['turn'];
  #outbox: Buffer[] = [];
  #outboxDone: WriteCallback | undefined;
  #hasSent = false;
  #finSent = false;
  #finReceived = false;
  /** The peer knows that the stream ended badly, or can no longer be told. */
  #resetKnown = false;

  constructor({ id, link, openedBy, windows }: StreamOptions) {
    // The reader's buffer holds one piece; the rest stays in the inbox, where small pieces are merged.
    super({ allowHalfOpen: true, readableHighWaterMark: 1, writableHighWaterMark: STREAM_WRITE_BUFFER_BYTES });
    this.id = id;
    this.#link = link;
    if (windows !== undefined) this.begin(windows);
    this.#isTaken = openedBy === 'peer';
    // A peer resets streams whenever it likes: that must not become an uncaught error where nobody listens.
    this.on('error', () => {});
  }

  /** Resolved when the peer took the stream, rejected when it was destroyed before. No deadline: `reset` rejects it. */
  get accepted(): Promise<void> {
    if (this.#acceptance !== undefined) return this.#acceptance.promise;
    this.#acceptance = Promise.withResolvers();
    if (this.#isTaken) this.#acceptance.resolve();
    else if (this.destroyed) this.#acceptance.reject(this.errored ?? resetError('destroyed'));
    this.#acceptance.promise.catch(() => {}); // Nobody has to wait for it.
    return this.#acceptance.promise;
  }

  /** Sends RST and destroys; nothing after both FINs have passed. Waiting data is dropped. */
  reset(error?: Error): void {
    this.destroy(error);
  }

  #sendControl(flags: number, length = 0): void {
    this.#link.sendControl({ type: FRAME_TYPES.windowUpdate, flags, streamId: this.id, length });
  }

  // Reading.

  override _read(): void {
    this.#readerWaits = true;
    this.#deliver();
  }

  /**
   * From now on bytes that would be emitted as `data` at once go there instead, uncopied; it may pause the stream. Those that had to
   * wait are emitted as ever.
   */
  takeDirectly(taker: Taker): void {
    this.#taker = taker;
  }

  /**
   * The first bytes go there, past the reader. @returns false where it is too late for that, since some have come.
   */
  takeHead(taker: HeadTaker): boolean {
    if (this.#receivedBytes > 0 || this.#finReceived || this.destroyed) return false;
    this.#headTaker = taker;
    return true;
  }

  /** All reading passes here or, without a buffer between, through `push` in `#deliver`. */
  override read(size?: number): unknown {
    const piece: unknown = super.read(size);
    if (piece !== null) this.#link.onHeld(this);
    this.#grantWindow();
    return piece;
  }

  #deliver(): void {
    while (this.#readerWaits && !this.destroyed) {
      const piece = this.#inbox.shift();
      if (piece === undefined) break;
      this.#readerWaits = this.push(piece);
    }
    this.#link.onHeld(this);
    this.#grantWindow();
    if (this.#finReceived && this.#inbox.bytes === 0 && !this.destroyed && !this.readableEnded) this.push(null);
  }

  /** Bytes in memory that wait here, either way, and at its other side. */
  get heldBytes(): number {
    if (this.destroyed) return 0;
    const { otherSide } = this;
    const besides = otherSide === undefined ? 0 : otherSide.writableLength + otherSide.readableLength;
    return this.#inbox.memoryBytes + this.readableLength + this.writableLength + besides;
  }

  /** To be called by whoever changes what waits without reading or writing here. */
  measure(): void {
    this.#link.onHeld(this);
  }

  /** Gives the peer as much window as the reader has really taken, once that is worth a frame. */
  #grantWindow(): void {
    if (this.#finReceived || this.destroyed) return;
    const waitingBytes = this.#inbox.bytes + this.readableLength;
    if (this.#grantBytes(waitingBytes) > 0) {
      this.#measure(waitingBytes);
      const grantBytes = this.#grantBytes(waitingBytes);
      this.#receiveWindow += grantBytes;
      if (grantBytes > 0) this.#sendControl(0, grantBytes);
    } else if (this.#beyondBytes === 0) return;
    this.#tellPromised(this.#receiveWindow + waitingBytes);
  }

  #grantBytes(waitingBytes: number): number {
    return grantOf({
      targetBytes: this.#targetBytes,
      outstandingBytes: this.#receiveWindow,
      waitingBytes,
      rttMs: this.#link.leastRttMs(),
    });
  }

  /** Only where a grant is due: so often that a window which is too small for its path is seen in each round trip. */
  #measure(waitingBytes: number): void {
    const nowMs = this.#link.now();
    const rttMs = this.#link.leastRttMs();
    const takenBytes = this.#receivedBytes - waitingBytes;
    const elapsedMs = nowMs - (this.#measuredMs ?? nowMs);
    this.#targetBytes = nextTarget({
      targetBytes: this.#targetBytes,
      drainedBytes: takenBytes - this.#measuredBytes,
      elapsedMs,
      rttMs,
      leastBytes: this.#leastBytes,
      mostBytes: this.#link.windowBytesMax(this.#beyondBytes),
    });
    if (rttMs !== undefined && elapsedMs < measureMs(rttMs)) return;
    this.#measuredMs = nowMs;
    this.#measuredBytes = takenBytes;
  }

  /** When it is more than before, or much less. */
  #tellPromised(promisedBytes: number): void {
    const beyondBytes = Math.max(0, promisedBytes - WINDOW_BYTES);
    if (beyondBytes <= this.#beyondBytes && beyondBytes > (this.#beyondBytes * 3) / 4) return;
    this.#link.onPromised(this.#beyondBytes, beyondBytes);
    this.#beyondBytes = beyondBytes;
  }

  // Writing.

  /**
   * Sends what may go at once, past the writer's buffer: the bytes are not needed any more then.
   *
   * @returns what may not, and has to be written: all of it while something waits already.
   */
  sendNow(pieces: readonly Buffer[]): readonly Buffer[] {
    if (this.writableLength > 0 || !this.writable) return pieces;
    this.#outbox = [...pieces];
    this.#link.onSendable(this);
    const left = this.#outbox;
    this.#outbox = [];
    return left;
  }

  override _writev(chunks: { chunk: unknown }[], callback: WriteCallback): void {
    this.#outbox = chunks.map(({ chunk }) => chunk as Buffer).filter((chunk) => chunk.length > 0);
    this.#outboxDone = callback;
    if (this.#outbox.length === 0) this.#finishOutbox();
    else if (this.isSendable) this.#link.onSendable(this);
    if (this.#outbox.length > 0) this.#link.onHeld(this);
  }

  #finishOutbox(error?: Error): void {
    const done = this.#outboxDone;
    this.#outboxDone = undefined;
    done?.(error);
  }

  override _final(callback: WriteCallback): void {
    this.#finSent = true;
    this.#sendControl(FLAGS.fin); // Needs no window, so it is a window update of 0.
    callback();
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    if (!this.isComplete && !this.#resetKnown) this.#sendControl(FLAGS.rst);
    this.#resetKnown = true;
    this.#outbox = [];
    this.#inbox.clear();
    this.otherSide = undefined;
    this.#taker?.takenAll();
    this.#taker = this.#headTaker = undefined;
    this.#link.onHeld(this);
    this.#tellPromised(0);
    // To describe where it was noticed costs more than all the rest of an end that was a good one.
    if (this.#outboxDone !== undefined || this.#acceptance !== undefined) {
      const reason = error ?? resetError('destroyed');
      this.#acceptance?.reject(reason);
      this.#finishOutbox(reason);
    }
    this.#link.onGone(this);
    callback(error);
  }

  // For the session.

  /** Both ends have agreed on these before either wrote, or read, anything here. */
  begin({ receiveBytes, sendBytes }: InitialWindows): void {
    this.#receiveWindow += receiveBytes - this.#leastBytes;
    this.#sendWindow += sendBytes - WINDOW_BYTES;
    this.#targetBytes = this.#leastBytes = receiveBytes;
  }

  /** Both FINs have passed: neither a reset nor the loss of the session can take anything away. */
  get isComplete(): boolean {
    return this.#finSent && this.#finReceived;
  }

  /** Nothing was sent on it yet: the peer has had no answer. */
  get isUnanswered(): boolean {
    return !this.#hasSent;
  }

  /** Little enough to go ahead of others. Asked when there is something to send. */
  get isHasty(): boolean {
    let bytes = 0;
    for (const chunk of this.#outbox) if ((bytes += chunk.length) > HASTY_BYTES_MAX) return false;
    return true;
  }

  get isSendable(): boolean {
    return this.#outbox.length > 0 && this.#sendWindow > 0 && !this.destroyed;
  }

  /** Sends one data frame of at most `bytesMax`. */
  sendFrame(bytesMax: number): void {
    const payload: Buffer[] = [];
    let bytes = 0;
    const budget = Math.min(bytesMax, this.#sendWindow);
    while (bytes < budget) {
      const chunk = this.#outbox.shift();
      if (chunk === undefined) break;
      const part = chunk.subarray(0, budget - bytes);
      if (part.length < chunk.length) this.#outbox.unshift(chunk.subarray(part.length));
      payload.push(part);
      bytes += part.length;
    }
    if (bytes === 0) return;
    this.#sendWindow -= bytes;
    this.#hasSent = true;
    this.#link.sendData({ type: FRAME_TYPES.data, flags: 0, streamId: this.id, length: bytes }, payload);
    if (this.#outboxDone === undefined) return; // Nothing waits in the writer's buffer.
    // Only now: the callback may go on to send FIN, which must not overtake the data.
    if (this.#outbox.length === 0) this.#finishOutbox();
    this.#link.onHeld(this);
  }

  /**
   * Any frame but RST says that the peer took the stream: hashicorp's acceptor leaves ACK out when FIN arrived before it
   * accepted.
   */
  receiveAck(): void {
    if (this.#isTaken) return;
    this.#isTaken = true;
    this.#acceptance?.resolve();
  }

  /** @throws {AppError} `ERR_MALFORMED` when the window grows beyond what a header can count. */
  receiveWindow(bytes: number): void {
    this.#sendWindow += bytes;
    if (this.#sendWindow > 0xffff_ffff) throw violation(`window of stream ${this.id} is above 4 GiB`);
    if (this.isSendable) this.#link.onSendable(this);
  }

  /** A data frame is announced. @throws {AppError} `ERR_MALFORMED` when it exceeds the window. */
  receiveFrame(bytes: number): void {
    if (bytes > this.#receiveWindow) throw violation(`stream ${this.id} exceeded its window`);
    // Not the session's fault: a writer that races with its own close. It costs this stream.
    if (bytes > 0 && this.#finReceived) this.destroy(resetError('peer sent data after its end'));
  }

  /** @param slab - lends the piece; absent: the piece is the stream's own. */
  receiveData(piece: Buffer, slab: Slab | undefined): void {
    if (this.destroyed) return;
    this.#receiveWindow -= piece.length;
    this.#receivedBytes += piece.length;
    this.#measuredMs ??= this.#link.now();
    if (this.#headTaker !== undefined) {
      const rest = this.#headTaker(piece);
      if (rest !== undefined) this.#headTaker = undefined;
      if (rest === undefined || rest.length === 0 || this.destroyed) return this.#grantWindow();
      return this.#receivePart(rest, slab);
    }
    this.#receivePart(piece, slab);
  }

  #receivePart(piece: Buffer, slab: Slab | undefined): void {
    if (slab === undefined) this.#inbox.add(piece);
    else if (this.#taker !== undefined && this.#isFlowing) {
      return this.#taker.take(piece, slab);
    } else this.#inbox.addCopy(piece);
    this.#deliver();
  }

  /** The session has handed on what it has read so far: to be called once after one or more of `receiveData`. */
  receivedAll(): void {
    if (this.#taker === undefined) return;
    this.#taker.takenAll();
    this.#link.onHeld(this);
    this.#grantWindow();
  }

  /** Nothing waits here, and the reader takes what comes. */
  get #isFlowing(): boolean {
    return this.readableFlowing === true && this.#inbox.bytes === 0 && this.readableLength === 0;
  }

  receiveFin(): void {
    if (this.#finReceived || this.destroyed) return;
    this.#finReceived = true;
    this.#headTaker?.(undefined);
    this.#tellPromised(0);
    this.#deliver();
  }

  receiveReset(): void {
    this.#resetKnown = true;
    this.destroy(RESET_BY_PEER);
  }

  /** The session is gone. */
  lose(lost: AppError): void {
    if (this.isComplete) return;
    this.#resetKnown = true;
    this.destroy(lost);
  }
}
