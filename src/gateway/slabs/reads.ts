/**
 * Reads of a socket that land one behind the other in a slab and are handed on in batches: what is written on then is written in
 * large pieces. A socket on which little comes, or nothing for a while, is read into a small buffer, and what came is handed on at once.
 *
 *     slab  |  handed on  |  batch  |  next read  ...  |
 *           0           start      end               512 KiB
 */
import type { Socket } from 'node:net';
import type { Place } from '../../runtime/line.ts';
import { watchBulkReader } from './bulk-readers.ts';
import { BATCH_BYTES, CALM_BELOW_BYTES, READ_ROOM_BYTES, RESTS_PER_LOOK } from './limits.ts';
import { slabs, takeIdleSlab, takeSpareSlab, type Slab, type SlabPool } from './pool.ts';
import { readInto } from './user-buffer.ts';

export interface SlabReadsOptions {
  readonly socket: Socket;
  /** Takes the next bytes. They are lent by the slab; those that the socket's stream held before come without one. May pause the socket. */
  onBytes(bytes: Buffer, slab: Slab | undefined): void;
  /** `onBytes` has thrown: nothing more is read. Whoever has got bytes of this socket has to be reset, and the socket too. Must not throw. */
  onFailure(error: Error): void;
  readonly pool?: SlabPool | undefined;
}

export interface SlabReads {
  /** Hands on what was read and waits: to be called before the socket's end is believed. */
  flush(): void;
}

/** @returns undefined where the fast path is off: the socket is to be read as any stream. */
export function readIntoSlabs({ socket, onBytes, onFailure, pool = slabs }: SlabReadsOptions): SlabReads | undefined {
  let slab = takeIdleSlab();
  let start = 0;
  let end = 0;
  let isBulk = false;
  let isArmed = false;
  let isOver = false;
  /** Read in this turn of the event loop; counted in bulk only. */
  let turnBytes = 0;
  /** So little came in the last turn that the bulk phase may be over. */
  let isCalm = false;
  /** In a bulk phase: where it waits to be looked at, whether it has read since, and if not, for how many looks. */
  let watched: Place | undefined;
  let hasRead = false;
  let quietLooks = 0;
  /** How often it has given a slab back in silence. */
  let rests = 0;

  function flush(): void {
    const batch = slab.memory.subarray(start, end);
    start = end;
    if (batch.length === 0 || isOver) return;
    try {
      onBytes(batch, slab);
    } catch (error) {
      isOver = true;
      slab.quarantine();
      onFailure(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** What came in one turn of the event loop goes together. The slab stays as it is: Node holds a pointer into it. */
  function flushLate(): void {
    isArmed = false;
    isCalm = turnBytes < CALM_BELOW_BYTES;
    turnBytes = 0;
    flush();
  }

  function use(next: Slab): void {
    slab.retire();
    slab = next;
    start = end = 0;
  }

  /** False: all memory for that is taken. */
  function useBulk(): boolean {
    const next = pool.take() ?? takeSpareSlab();
    if (next === undefined) return false;
    use(next);
    return true;
  }

  function beginBulk(): void {
    isBulk = true;
    isCalm = false;
    quietLooks = 0;
    watched = watchBulkReader(look);
  }

  function endBulk(): void {
    isBulk = false;
    turnBytes = 0;
    watched?.leave();
    use(takeIdleSlab());
  }

  /** What it is read into is missing to others, and this one will not hear anything soon, as far as can be seen. */
  function look(): void {
    quietLooks = hasRead || isArmed ? 0 : quietLooks + 1;
    hasRead = false;
    if (isOver || start < end || quietLooks <= rests / RESTS_PER_LOOK) return;
    rests++;
    endBulk();
    attached?.move();
  }

  function onIdleRead(): void {
    flush();
    const isFull = end === slab.memory.length;
    if (isOver) start = end = 0;
    else if (isFull && useBulk()) beginBulk();
    else if (!slab.isHeld) start = end = 0;
    else if (isFull) use(takeIdleSlab());
  }

  /**
   * A read says little: TLS gives one record at a time, and what follows a large one is often the twelve bytes that did not fit. So
   * a turn is what counts, and a phase is over when two of them have brought little.
   */
  function onBulkRead(bytes: number): void {
    hasRead = true;
    turnBytes += bytes;
    const isLast = isCalm && turnBytes < CALM_BELOW_BYTES;
    const isFull = slab.memory.length - end < READ_ROOM_BYTES;
    if (isLast || isFull || end - start >= BATCH_BYTES) flush();
    else if (!isArmed) {
      isArmed = true;
      setImmediate(flushLate);
    }
    if (isOver) start = end = 0;
    else if (isLast) endBulk();
    else if (start === end && !slab.isHeld) {
      // Memory that was just used is in the processor's cache.
      start = end = 0;
    } else if (isFull && !useBulk()) endBulk();
  }

  const attached = readInto(socket, {
    next: () => slab.from(end),
    onRead(bytes) {
      if (isOver) return;
      end += bytes;
      if (isBulk) onBulkRead(bytes);
      else onIdleRead();
    },
  });
  if (attached === undefined) {
    slab.retire();
    return undefined;
  }
  // What its stream holds comes first.
  for (let piece = socket.read() as Buffer | null; piece !== null; piece = socket.read() as Buffer | null) {
    onBytes(piece, undefined);
  }
  socket.once('close', () => {
    watched?.leave();
    if (isOver) return;
    isOver = true;
    slab.retire();
  });
  return { flush };
}
