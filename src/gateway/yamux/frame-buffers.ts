/** Where data frames are put together to be sent: their payload is only lent, and one piece costs TLS one write and no copy. */
import {
  FRAME_ALONE_BYTES_MAX,
  FRAME_BUFFERS_BYTES_MAX,
  FRAME_BUFFERS_IDLE_MS,
  POOLED_FRAME_BYTES_MIN,
} from './limits.ts';
import { encodeHeader, HEADER_BYTES, type FrameHeader } from './frame.ts';

export interface FrameBuffers {
  /** @returns the frame as bytes of its own, and what is to be called once, when they have been sent or never will be. */
  fill(header: FrameHeader, payload: readonly Buffer[]): { readonly bytes: Buffer; readonly onSent?: () => void };
}

export interface PooledFrameBuffers extends FrameBuffers {
  /** Memory that waits to be used again. */
  readonly keptBytes: number;
}

export interface FrameBuffersOptions {
  readonly keptBytesMax?: number;
  /** After so long without a frame nothing is kept. */
  readonly idleMs?: number;
  /** One is free again. Tests spoil it here, so that who sends it too late is seen. */
  readonly onReturn?: (memory: Buffer) => void;
}

/** Memory of one size: of the frames that it takes, none needs less than half of it. */
interface Shelf {
  readonly bytes: number;
  readonly free: Buffer[];
}

export function makeFrameBuffers({
  keptBytesMax = FRAME_BUFFERS_BYTES_MAX,
  idleMs = FRAME_BUFFERS_IDLE_MS,
  onReturn,
}: FrameBuffersOptions = {}): PooledFrameBuffers {
  const shelves = makeShelves();
  let keptBytes = 0;
  let isUsed = false;
  let timer: NodeJS.Timeout | undefined;

  function take({ bytes, free }: Shelf): Buffer {
    isUsed = true;
    const memory = free.pop();
    if (memory === undefined) return Buffer.allocUnsafeSlow(bytes);
    keptBytes -= bytes;
    return memory;
  }

  /** What was used last is in the processor's cache, and of the size that is wanted now: others give way. */
  function keep(memory: Buffer, shelf: Shelf): void {
    shelf.free.push(memory);
    keptBytes += memory.length;
    while (keptBytes > keptBytesMax) keptBytes -= (fullestBut(shelf, shelves) ?? shelf).free.pop()?.length ?? keptBytes;
    if (keptBytes > 0) timer ??= setTimeout(look, idleMs).unref();
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
    fill(header, payload) {
      const bytes = HEADER_BYTES + header.length;
      const isWorthIt = keptBytesMax > 0 && header.length >= POOLED_FRAME_BYTES_MIN;
      const shelf = isWorthIt ? shelves.find((each) => bytes <= each.bytes) : undefined;
      if (shelf === undefined) return { bytes: put(header, payload, Buffer.allocUnsafe(bytes)) };
      const memory = take(shelf);
      return {
        bytes: put(header, payload, memory),
        onSent() {
          onReturn?.(memory);
          keep(memory, shelf);
        },
      };
    },
    get keptBytes() {
      return keptBytes;
    },
  };
}

function makeShelves(): readonly Shelf[] {
  const shelves: Shelf[] = [];
  for (let bytes = 2 * POOLED_FRAME_BYTES_MIN; bytes <= FRAME_ALONE_BYTES_MAX; bytes *= 2) {
    shelves.push({ bytes: HEADER_BYTES + bytes, free: [] });
  }
  return shelves;
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

function put(header: FrameHeader, payload: readonly Buffer[], memory: Buffer): Buffer {
  encodeHeader(header, memory);
  let offset = HEADER_BYTES;
  for (const piece of payload) offset += piece.copy(memory, offset);
  return memory.subarray(0, offset);
}

/** Of this process. */
export const frameBuffers = makeFrameBuffers();
