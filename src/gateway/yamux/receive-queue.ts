/** Bytes of one stream that its reader has not asked for yet. */
import { RECEIVE_COPY_BELOW_BYTES, RECEIVE_SLAB_BYTES_MAX, RECEIVE_SLAB_BYTES_MIN } from './limits.ts';

/** True when keeping the piece as it is would hold much more memory than its bytes. */
function isWasteful(piece: Buffer): boolean {
  return piece.length < RECEIVE_COPY_BELOW_BYTES || piece.length * 4 < piece.buffer.byteLength;
}

/**
 * Holds at most four times its bytes, and 16 KiB: wasteful pieces are copied together, others kept without a copy. Every stream has
 * one, and most never hold anything: a class, since the closures of each would be a kilobyte.
 */
export class ReceiveQueue {
  #bytes = 0;
  #memoryBytes = 0;
  /** Made when there is something to hold. */
  #pieces: Buffer[] | undefined;
  /** The tail into which wasteful pieces are copied; it follows all of `#pieces`. */
  #slab: Buffer | undefined;
  #slabUsed = 0;
  /** As much as is at hand, else it grows while one after the other is filled: the tail of each frame alone is some bytes. */
  #slabBytes = RECEIVE_SLAB_BYTES_MIN;

  get bytes(): number {
    return this.#bytes;
  }

  /** What keeping them costs: whole chunks of which only a part is waiting count as a whole. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  add(piece: Buffer): void {
    if (isWasteful(piece)) return this.addCopy(piece);
    this.#bytes += piece.length;
    this.#sealSlab();
    this.#memoryBytes += piece.buffer.byteLength;
    this.#put(piece);
  }

  /** The same for a piece that is only lent. */
  addCopy(piece: Buffer): void {
    this.#bytes += piece.length;
    for (let offset = 0; offset < piece.length;) {
      this.#slab ??= this.#makeSlab(piece.length - offset);
      const copied = piece.copy(this.#slab, this.#slabUsed, offset);
      this.#slabUsed += copied;
      offset += copied;
      if (this.#slabUsed === this.#slab.length) this.#sealSlab();
    }
  }

  /** The next bytes in order, in pieces of any size; undefined when there are none. */
  shift(): Buffer | undefined {
    if (this.#bytes === 0) return undefined;
    if (this.#pieces === undefined || this.#pieces.length === 0) this.#sealSlab();
    const piece = this.#pieces?.shift();
    if (piece === undefined) return undefined;
    this.#bytes -= piece.length;
    this.#memoryBytes -= piece.buffer.byteLength;
    return piece;
  }

  clear(): void {
    this.#pieces = this.#slab = undefined;
    this.#bytes = this.#memoryBytes = this.#slabUsed = 0;
  }

  #put(piece: Buffer): void {
    if (this.#pieces === undefined) this.#pieces = [piece];
    else this.#pieces.push(piece);
  }

  #sealSlab(): void {
    if (this.#slab === undefined) return;
    this.#put(this.#slab.subarray(0, this.#slabUsed));
    const isFull = this.#slabUsed === this.#slab.length;
    this.#slabBytes = isFull ? Math.min(2 * this.#slabBytes, RECEIVE_SLAB_BYTES_MAX) : RECEIVE_SLAB_BYTES_MIN;
    this.#slab = undefined;
    this.#slabUsed = 0;
  }

  #makeSlab(chunkBytes: number): Buffer {
    const made = Buffer.allocUnsafeSlow(Math.min(Math.max(this.#slabBytes, chunkBytes), RECEIVE_SLAB_BYTES_MAX));
    this.#memoryBytes += made.length;
    return made;
  }
}
