/** Bytes of one stream that its reader has not asked for yet. */
import { RECEIVE_COPY_BELOW_BYTES, RECEIVE_SLAB_BYTES_MAX, RECEIVE_SLAB_BYTES_MIN } from './limits.ts';

export interface ReceiveQueue {
  readonly bytes: number;
  add(piece: Buffer): void;
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
  let bytes = 0;

  function sealSlab(): void {
    if (slab === undefined) return;
    pieces.push(slab.subarray(0, slabUsed));
    slab = undefined;
    slabUsed = 0;
  }

  function copy(piece: Buffer): void {
    for (let offset = 0; offset < piece.length;) {
      slab ??= Buffer.allocUnsafeSlow(Math.min(Math.max(bytes, RECEIVE_SLAB_BYTES_MIN), RECEIVE_SLAB_BYTES_MAX));
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
    add(piece) {
      bytes += piece.length;
      if (isWasteful(piece)) return copy(piece);
      sealSlab();
      pieces.push(piece);
    },
    shift() {
      if (pieces.length === 0) sealSlab();
      const piece = pieces.shift();
      bytes -= piece?.length ?? 0;
      return piece;
    },
    clear() {
      pieces = [];
      slab = undefined;
      slabUsed = 0;
      bytes = 0;
    },
  };
}
