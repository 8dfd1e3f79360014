/** Joins two connections until both directions have ended, or resets both. */
import assert from 'node:assert';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { AppError } from '../api/errors.ts';
import { resetSocket, whenResettable } from '../runtime/reset-socket.ts';
import { rawSocketOf } from './raw-socket.ts';
import { bytesOf, lendTo } from './slabs/lend.ts';
import type { Slab, SlabPool } from './slabs/pool.ts';
import { readIntoSlabs, type SlabReads } from './slabs/reads.ts';
import { YamuxStream, type Taker } from './yamux/stream.ts';

export type RelaySide = 'left' | 'right';

export interface RelayOptions {
  /** Both with `allowHalfOpen: true`; bytes that were read too far are put back with `unshift` before. */
  readonly left: Duplex;
  readonly right: Duplex;
  /** Called for every piece as it is written to the other side. */
  readonly onBytes?: (from: RelaySide, bytes: number) => void;
  /** What waits to be written to either side has changed. */
  readonly onHeld?: () => void;
  /** What sockets are read into; tests give memory that is spoiled when it comes back. */
  readonly pool?: SlabPool;
}

export interface RelayOutcome {
  readonly leftToRightBytes: number;
  readonly rightToLeftBytes: number;
  /** Absent when both directions saw their end of file. */
  readonly error?: Error;
  /** Which side failed or went away; absent when the relay was aborted from here. */
  readonly failedSide?: RelaySide;
}

export interface Relay {
  /** Never rejects. */
  readonly done: Promise<RelayOutcome>;
  /** So far. */
  readonly leftToRightBytes: number;
  readonly rightToLeftBytes: number;
  /** Resets both sides; nothing after `done`. */
  abort(error: Error): void;
}

/**
 * Copies both ways with backpressure. The end of one direction ends only the writing half of the other side.
 *
 * When a side fails, or closes before its own end and finish, both are reset: a cut connection must not look like one that
 * ended well. `stream.pipeline` destroys a socket with FIN, so it is of no use here. Idle connections have no limit.
 */
export function startRelay(options: RelayOptions): Relay {
  return new RunningRelay(options);
}

/** Each open connection has one: an object, since the closures of each would be kilobytes. */
class RunningRelay implements Relay {
  readonly done: Promise<RelayOutcome>;
  leftToRightBytes = 0;
  rightToLeftBytes = 0;
  readonly options: RelayOptions;
  isSettled = false;
  #resolve: ((outcome: RelayOutcome) => void) | undefined;
  #openDirections = 2;

  constructor(options: RelayOptions) {
    const { left, right } = options;
    assert.ok(left.allowHalfOpen && right.allowHalfOpen, 'relay: both sides must allow half-open connections');
    this.options = options;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#watch('left', left);
    this.#watch('right', right);
    if (!this.isSettled) new Direction(this, 'left', left, right).begin();
    if (!this.isSettled) new Direction(this, 'right', right, left).begin();
  }

  abort(error: Error): void {
    this.settle(error);
  }

  fail(failedSide: RelaySide, error: Error): void {
    this.settle(error, failedSide);
  }

  count(from: RelaySide, bytes: number): void {
    if (from === 'left') this.leftToRightBytes += bytes;
    else this.rightToLeftBytes += bytes;
    this.options.onBytes?.(from, bytes);
  }

  finishDirection(): void {
    this.#openDirections -= 1;
    if (this.#openDirections === 0) this.settle();
  }

  settle(error?: Error, failedSide?: RelaySide): void {
    if (this.isSettled) return;
    this.isSettled = true;
    const { left, right } = this.options;
    if (error !== undefined) for (const side of [left, right]) resetConnection(side, error);
    const { leftToRightBytes, rightToLeftBytes } = this;
    this.#resolve?.({
      leftToRightBytes,
      rightToLeftBytes,
      ...(error === undefined ? undefined : { error }),
      ...(failedSide === undefined ? undefined : { failedSide }),
    });
  }

  #watch(name: RelaySide, side: Duplex): void {
    // Stays for good: a socket may report errors after it was reset.
    side.on('error', (error: Error) => this.fail(name, error));
    side.on('close', () => {
      if (!side.readableEnded || !side.writableFinished) this.fail(name, prematureClose(name));
    });
    if (side.destroyed) this.fail(name, side.errored ?? prematureClose(name));
  }
}

/** One way of a relay. */
class Direction implements Taker {
  readonly #relay: RunningRelay;
  readonly #from: RelaySide;
  readonly #source: Duplex;
  readonly #sink: Duplex;
  readonly #borrower: Socket | YamuxStream | undefined;
  /** The frames of a session come several at once, each as a piece: they are written in one go. */
  #gathered: Buffer[] = [];
  #lender: Slab | undefined;
  #reads: SlabReads | undefined;

  constructor(relay: RunningRelay, from: RelaySide, source: Duplex, sink: Duplex) {
    this.#relay = relay;
    this.#from = from;
    this.#source = source;
    this.#sink = sink;
    this.#borrower = sink instanceof Socket || sink instanceof YamuxStream ? sink : undefined;
  }

  begin(): void {
    const source = this.#source;
    const sink = this.#sink;
    const take = (chunk: Buffer, slab?: Slab): void => this.#write(chunk, slab);
    // Of other streams nobody can say when they have done with what they were lent.
    if (this.#borrower !== undefined) {
      if (source instanceof Socket) {
        const onFailure = (error: Error): void => this.#relay.fail(this.#from, error);
        this.#reads = readIntoSlabs({ socket: source, onBytes: take, onFailure, pool: this.#relay.options.pool });
      } else if (source instanceof YamuxStream) source.takeDirectly(this);
    }
    if (this.#reads === undefined) source.on('data', (chunk: Buffer) => take(chunk));
    sink.on('drain', () => source.resume());
    if (source.readableEnded) this.#end();
    else source.on('end', () => this.#end());
    // An accepted socket was paused until its source was chosen; a listener alone does not undo that.
    source.resume();
    sink.on('finish', () => this.#relay.finishDirection());
  }

  /** For a stream of a session. */
  take(piece: Buffer, slab: Slab): void {
    if (this.#relay.isSettled) return;
    this.#gathered.push(piece);
    this.#lender = slab;
  }

  takenAll(): void {
    const pieces = this.#gathered;
    if (pieces.length === 0) return;
    this.#gathered = [];
    if (!this.#relay.isSettled) this.#writeAll(pieces, this.#lender);
    this.#lender = undefined;
  }

  #write(chunk: Buffer, slab: Slab | undefined): void {
    this.takenAll();
    if (!this.#relay.isSettled) this.#writeAll([chunk], slab);
  }

  #writeAll(pieces: readonly Buffer[], slab: Slab | undefined): void {
    this.#relay.count(this.#from, bytesOf(pieces));
    const { onHeld, pool } = this.#relay.options;
    const sink = this.#sink;
    const left = sink instanceof YamuxStream ? sink.sendNow(pieces) : pieces;
    if (left.length === 0) return;
    if (slab !== undefined && this.#borrower !== undefined)
      lendTo({ sink: this.#borrower, pieces: left, slab, onHeld, pool });
    else for (const piece of left) sink.write(piece, onHeld);
    if (sink.writableLength === 0) return; // All of it was taken at once.
    this.#holdBack();
    onHeld?.();
  }

  /** Not by what `write` says: what the kernel took at once is written, however much it was. */
  #holdBack(): void {
    if (this.#sink.writableLength >= this.#sink.writableHighWaterMark) this.#source.pause();
  }

  #end(): void {
    this.#reads?.flush();
    this.takenAll();
    this.#sink.end();
  }
}

function prematureClose(side: RelaySide): AppError {
  return new AppError('ERR_STREAM_RESET', `relay: the ${side} side closed before its end`, { retryable: true });
}

/** Ends a connection so that the other end sees a reset, never an end of file. TLS over TCP: in the next turn. */
export function resetConnection(side: Duplex, error: Error): void {
  // Only a TCP handle can send RST; a stream of a session does it in destroy().
  if (side instanceof TLSSocket) setImmediate(resetTls, side, error);
  else if (side instanceof Socket && !side.destroyed) resetSocket(side);
  else side.destroy(error);
}

/** Never within an event of the TLS socket: OpenSSL is still at work then, and its connection must not go away below it. */
function resetTls(side: TLSSocket, error: Error): void {
  whenResettable(side, () => {
    const raw = rawSocketOf(side);
    if (raw?.destroyed === false) resetSocket(raw);
    side.destroy(error);
  });
}
