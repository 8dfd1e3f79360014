/** Writes bytes that are only lent: uncopied where that keeps little memory, or not for long. */
import type { Socket } from 'node:net';
import type { YamuxStream } from '../yamux/stream.ts';
import { COPY_BELOW_BYTES, IDLE_BUFFER_BYTES } from './limits.ts';
import { slabs, type Slab, type SlabPool } from './pool.ts';

export interface Loan {
  /** Says of each write when it has done with its bytes, and shows in `writableLength` that it has at once. */
  readonly sink: Socket | YamuxStream;
  /** At least one; written in one go. */
  readonly pieces: readonly Buffer[];
  readonly slab: Slab;
  readonly onHeld?: (() => void) | undefined;
  readonly pool?: SlabPool | undefined;
}

/** The sink's `writableLength` says afterwards whether to stop until `drain`. */
export function lendTo(loan: Loan): void {
  const { sink, pieces, slab, onHeld } = loan;
  if (mustCopy(loan)) return void sink.write(copyOf(pieces), onHeld);
  let isHeld = true;
  slab.hold();
  const giveBack = (): void => {
    if (isHeld) slab.release();
    isHeld = false;
  };
  writeAll(sink, pieces, () => {
    giveBack();
    onHeld?.();
  });
  // All of it was taken at once, which the callback says later: the next read may go to the same place.
  if (sink.writableLength === 0) giveBack();
}

/** @param onWritten - called when the last one is, and so all are. */
function writeAll(sink: Loan['sink'], pieces: readonly Buffer[], onWritten: () => void): void {
  const last = pieces.length - 1;
  if (last > 0) sink.cork();
  for (const [index, piece] of pieces.entries()) sink.write(piece, index === last ? onWritten : undefined);
  if (last > 0) sink.uncork();
}

/** In memory of its own: a piece of Node's pool would keep all of that. */
function copyOf(pieces: readonly Buffer[]): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytesOf(pieces));
  let offset = 0;
  for (const piece of pieces) offset += piece.copy(copy, offset);
  return copy;
}

/** Of all together. */
export function bytesOf(pieces: readonly Buffer[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  return bytes;
}

/**
 * What waits keeps its whole slab. Slabs of the pool are bounded by it, so that only few left are a reason to spare them; those
 * beside it are not, and what waits in them is counted by its bytes: it keeps at most four times as much.
 */
function mustCopy({ sink, pieces, slab, pool = slabs }: Loan): boolean {
  if (slab.memory.length <= IDLE_BUFFER_BYTES) return false;
  const bytes = bytesOf(pieces);
  const isWasteful = bytes * 4 < slab.memory.length;
  if (!slab.isPooled) return isWasteful;
  return sink.writableLength > 0 && isWasteful && (pool.isScarce || bytes < COPY_BELOW_BYTES);
}
