/** Joins two connections until both directions have ended, or resets both. */
import assert from 'node:assert';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { AppError } from '../api/errors.ts';
import { rawSocketOf } from './raw-socket.ts';
import { lendTo } from './slabs/lend.ts';
import type { Slab, SlabPool } from './slabs/pool.ts';
import { readIntoSlabs, type SlabReads } from './slabs/reads.ts';
import { YamuxStream } from './yamux/stream.ts';

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
export function startRelay({ left, right, onBytes, onHeld, pool }: RelayOptions): Relay {
  assert.ok(left.allowHalfOpen && right.allowHalfOpen, 'relay: both sides must allow half-open connections');
  const { promise: done, resolve } = Promise.withResolvers<RelayOutcome>();
  const bytesFrom = { left: 0, right: 0 };
  let openDirections = 2;
  let settled = false;

  function settle(failure: { error?: Error; failedSide?: RelaySide } = {}): void {
    if (settled) return;
    settled = true;
    if (failure.error !== undefined) for (const side of [left, right]) resetConnection(side, failure.error);
    resolve({ leftToRightBytes: bytesFrom.left, rightToLeftBytes: bytesFrom.right, ...failure });
  }

  function copy(from: RelaySide, source: Duplex, sink: Duplex): void {
    const borrower = sink instanceof Socket || sink instanceof YamuxStream ? sink : undefined;
    /** The frames of a session come several at once, each as a piece: they are written in one go. */
    const isInPieces = source instanceof YamuxStream && borrower !== undefined;
    let isGathering = false;
    function take(chunk: Buffer, slab?: Slab): void {
      if (settled) return;
      bytesFrom[from] += chunk.length;
      onBytes?.(from, chunk.length);
      if (isInPieces && !isGathering) gather();
      if (slab !== undefined && borrower !== undefined) lendTo({ sink: borrower, bytes: chunk, slab, onHeld, pool });
      else sink.write(chunk, onHeld);
      if (!isGathering) holdBack();
      onHeld?.();
    }
    function gather(): void {
      isGathering = true;
      sink.cork();
      process.nextTick(writeGathered);
    }
    function writeGathered(): void {
      isGathering = false;
      sink.uncork();
      holdBack();
      onHeld?.();
    }
    /** Not by what `write` says: what the kernel took at once is written, however much it was. */
    function holdBack(): void {
      if (sink.writableLength >= sink.writableHighWaterMark) source.pause();
    }
    const fail = (error: Error): void => settle({ error, failedSide: from });
    let reads: SlabReads | undefined;
    // Of other streams nobody can say when they have done with what they were lent.
    if (borrower !== undefined) {
      if (source instanceof Socket) reads = readIntoSlabs({ socket: source, onBytes: take, onFailure: fail, pool });
      else if (source instanceof YamuxStream) source.takeDirectly(take);
    }
    source.on('data', (chunk: Buffer) => take(chunk));
    sink.on('drain', () => source.resume());
    function end(): void {
      reads?.flush();
      sink.end();
    }
    if (source.readableEnded) end();
    else source.once('end', end);
    // An accepted socket was paused until its source was chosen; a listener alone does not undo that.
    source.resume();
    sink.once('finish', () => {
      openDirections -= 1;
      if (openDirections === 0) settle();
    });
  }

  function watch(failedSide: RelaySide, side: Duplex): void {
    // Stays for good: a socket may report errors after it was reset.
    side.on('error', (error: Error) => settle({ error, failedSide }));
    side.once('close', () => {
      if (!side.readableEnded || !side.writableFinished) settle({ error: prematureClose(failedSide), failedSide });
    });
    if (side.destroyed) settle({ error: side.errored ?? prematureClose(failedSide), failedSide });
  }

  watch('left', left);
  watch('right', right);
  if (!settled) copy('left', left, right);
  if (!settled) copy('right', right, left);

  return {
    done,
    get leftToRightBytes() {
      return bytesFrom.left;
    },
    get rightToLeftBytes() {
      return bytesFrom.right;
    },
    abort: (error) => settle({ error }),
  };
}

function prematureClose(side: RelaySide): AppError {
  return new AppError('ERR_STREAM_RESET', `relay: the ${side} side closed before its end`, { retryable: true });
}

/** Ends a connection so that the other end sees a reset, never an end of file. TLS over TCP: in the next turn. */
export function resetConnection(side: Duplex, error: Error): void {
  // Only a TCP handle can send RST; a stream of a session does it in destroy().
  if (side instanceof TLSSocket) setImmediate(resetTls, side, error);
  else if (side instanceof Socket && !side.destroyed) side.resetAndDestroy();
  else side.destroy(error);
}

/** Never within an event of the TLS socket: OpenSSL is still at work then, and its connection must not go away below it. */
function resetTls(side: TLSSocket, error: Error): void {
  const raw = rawSocketOf(side);
  if (raw?.destroyed === false) raw.resetAndDestroy();
  side.destroy(error);
}
