/** Writes bytes that are only lent: uncopied where that keeps little memory, or not for long. */
import type { Socket } from 'node:net';
import type { YamuxStream } from '../yamux/stream.ts';
import { COPY_BELOW_BYTES, IDLE_BUFFER_BYTES } from './limits.ts';
import { slabs, type Slab, type SlabPool } from './pool.ts';

export interface Loan {
  /** Says of each write when it has done with its bytes, and shows in `writableLength` that it has at once. */
  readonly sink: Socket | YamuxStream;
  readonly bytes: Buffer;
  readonly slab: Slab;
  readonly onHeld?: (() => void) | undefined;
  readonly pool?: SlabPool | undefined;
}

/** @returns what `write` does: false asks to stop until `drain`. */
export function lendTo({ sink, bytes, slab, onHeld, pool = slabs }: Loan): boolean {
  if (mustCopy({ sink, bytes, slab, pool })) return sink.write(copyOf(bytes), onHeld);
  let isHeld = true;
  slab.hold();
  const giveBack = (): void => {
    if (isHeld) slab.release();
    isHeld = false;
  };
  const goesOn = sink.write(bytes, () => {
    giveBack();
    onHeld?.();
  });
  // All of it was taken at once, which the callback says later: the next read may go to the same place.
  if (sink.writableLength === 0) giveBack();
  return goesOn;
}

/** In memory of its own: a piece of Node's pool would keep all of that. */
function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/**
 * What waits keeps its whole slab. Slabs of the pool are bounded by it, so that only few left are a reason to spare them; those
 * beside it are not, and what waits in them is counted by its bytes: it keeps at most four times as much.
 */
function mustCopy({ sink, bytes, slab, pool = slabs }: Loan): boolean {
  if (slab.memory.length <= IDLE_BUFFER_BYTES) return false;
  const isWasteful = bytes.length * 4 < slab.memory.length;
  if (!slab.isPooled) return isWasteful;
  return sink.writableLength > 0 && isWasteful && (pool.isScarce || bytes.length < COPY_BELOW_BYTES);
}
