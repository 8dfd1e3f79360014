/** Memory that frames are put together in to be sent: their payload is only lent, and one piece costs TLS one write and no copy. */
import { BATCH_BYTES_MAX, BATCH_BYTES_MIN, SEND_MEMORY_BYTES_MAX, SEND_MEMORY_IDLE_MS } from './limits.ts';

export interface SendMemory {
  /** @param bytes - at most {@link BATCH_BYTES_MAX}. @returns as much, or more. */
  take(bytes: number): Buffer;
  /** Nobody reads it any more. */
  giveBack(memory: Buffer): void;
}

export interface PooledSendMemory extends SendMemory {
  /** Memory that waits to be used again. */
  readonly keptBytes: number;
}

export interface SendMemoryOptions {
  readonly keptBytesMax?: number;
  /** After so long without use nothing is kept. */
  readonly idleMs?: number;
  /** Some is free again. Tests spoil it here, so that who sends it too late is seen. */
  readonly onReturn?: (memory: Buffer) => void;
}

/** Memory of one size. */
interface Shelf {
  readonly bytes: number;
  readonly free: Buffer[];
}

export function makeSendMemory({
  keptBytesMax = SEND_MEMORY_BYTES_MAX,
  idleMs = SEND_MEMORY_IDLE_MS,
  onReturn,
}: SendMemoryOptions = {}): PooledSendMemory {
  const shelves = makeShelves();
  let keptBytes = 0;
  let isUsed = false;
  let timer: NodeJS.Timeout | undefined;

  /** Of the sizes that are enough, the smallest. */
  function shelfFor(bytes: number): Shelf {
    for (const shelf of shelves) if (bytes <= shelf.bytes) return shelf;
    throw new RangeError(`send memory: ${bytes} bytes are more than one batch has`);
  }

  /** What was used last is in the processor's cache, and of the size that is wanted now: others give way. */
  function makeRoom(shelf: Shelf): void {
    while (keptBytes > keptBytesMax) keptBytes -= (fullestBut(shelf, shelves) ?? shelf).free.pop()?.length ?? keptBytes;
  }

  /** Until nothing was used since the last look. */
  function look(): void {
    timer = isUsed ? setTimeout(look, idleMs).unref() : undefined;
    if (!isUsed) dropAll();
    isUsed = false;
  }

  function dropAll(): void {
    for (const { free } of shelves) free.length = 0;
    keptBytes = 0;
  }

  return {
    take(bytes) {
      isUsed = true;
      const shelf = shelfFor(bytes);
      const memory = shelf.free.pop();
      if (memory === undefined) return Buffer.allocUnsafeSlow(shelf.bytes);
      keptBytes -= shelf.bytes;
      return memory;
    },
    giveBack(memory) {
      onReturn?.(memory);
      const shelf = shelfFor(memory.length);
      shelf.free.push(memory);
      keptBytes += memory.length;
      makeRoom(shelf);
      if (keptBytes > 0) timer ??= setTimeout(look, idleMs).unref();
    },
    get keptBytes() {
      return keptBytes;
    },
  };
}

function makeShelves(): readonly Shelf[] {
  const shelves: Shelf[] = [];
  for (let bytes = BATCH_BYTES_MIN; bytes < BATCH_BYTES_MAX; bytes *= 4) shelves.push({ bytes, free: [] });
  return [...shelves, { bytes: BATCH_BYTES_MAX, free: [] }];
}

/** Of the others, the one that keeps most; undefined when all are empty. */
function fullestBut(shelf: Shelf, shelves: readonly Shelf[]): Shelf | undefined {
  let fullest: Shelf | undefined;
  let mostBytes = 0;
  for (const each of shelves) {
    const keptBytes = each === shelf ? 0 : each.bytes * each.free.length;
    if (keptBytes > mostBytes) [fullest, mostBytes] = [each, keptBytes];
  }
  return fullest;
}

/** Of this process. */
export const sendMemory = makeSendMemory();
