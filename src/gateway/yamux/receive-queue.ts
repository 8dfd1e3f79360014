/** Bytes of one stream that its reader has not asked for yet. */
import { RECEIVE_COPY_BELOW_BYTES, RECEIVE_SLAB_BYTES_MAX, RECEIVE_SLAB_BYTES_MIN } from './limits.ts';

export interface ReceiveQueue {
  readonly bytes: number;
  /** What keeping them costs: whole chunks of which only a part is waiting count as a whole. */
  readonly memoryBytes: number;
  add(piece: Buffer): void;
  /** The same for a piece that is only lent. */
  addCopy(piece: Buffer): void;
  /** The next bytes in order, in pieces of any size; undefined when there are none. */
  shift(): Buffer | undefined;
  clear(): void;
}

/** True when keeping the piece as it is would hold much more memory than its bytes. */
function isWasteful(piece: Buffer): boolean {
  return piece.length < RECEIVE_COPY_BELOW_BYTES || piece.length * 4 < piece.buffer.byteLength;
}

/** Holds at most four times its bytes, and 16 KiB: wasteful pieces are copied together, others kept without a copy. */
export function makeReceiveQueue(): ReceiveQueue {
  let pieces: Buffer[] = [];
  // The tail into which wasteful pieces are copied; it follows all of `pieces`.
  let slab: Buffer | undefined;
  let slabUsed = 0;
  // As much as is at hand, else it grows while one after the other is filled: the tail of each frame alone is some bytes.
  let slabBytes = RECEIVE_SLAB_BYTES_MIN;
  let bytes = 0;
  let memoryBytes = 0;

  function sealSlab(): void {
    if (slab === undefined) return;
    pieces.push(slab.subarray(0, slabUsed));
    slabBytes = slabUsed === slab.length ? Math.min(2 * slabBytes, RECEIVE_SLAB_BYTES_MAX) : RECEIVE_SLAB_BYTES_MIN;
    slab = undefined;
    slabUsed = 0;
  }

  function makeSlab(chunkBytes: number): Buffer {
    const made = Buffer.allocUnsafeSlow(Math.min(Math.max(slabBytes, chunkBytes), RECEIVE_SLAB_BYTES_MAX));
    memoryBytes += made.length;
    return made;
  }

  function copy(piece: Buffer): void {
    for (let offset = 0; offset < piece.length;) {
      slab ??= makeSlab(piece.length - offset);
      const copied = piece.copy(slab, slabUsed, offset);
      slabUsed += copied;
      offset += copied;
      if (slabUsed === slab.length) sealSlab();
    }
  }

  return {
    get bytes() {
      return bytes;
    },
    get memoryBytes() {
      return memoryBytes;
    },
    add(piece) {
      bytes += piece.length;
      if (isWasteful(piece)) return copy(piece);
      sealSlab();
      memoryBytes += piece.buffer.byteLength;
      pieces.push(piece);
    },
    addCopy(piece) {
      bytes += piece.length;
      copy(piece);
    },
    shift() {
      if (pieces.length === 0) sealSlab();
      const piece = pieces.shift();
      if (piece === undefined) return undefined;
      bytes -= piece.length;
      memoryBytes -= piece.buffer.byteLength;
      return piece;
    },
    clear() {
      pieces = [];
      slab = undefined;
      slabUsed = 0;
      bytes = 0;
      memoryBytes = 0;
    },
  };
}
