/**
 * How much the peer may send on a stream before its reader takes any of it. Pure.
 *
 *     |  granted, not here yet  |  here, waits for the reader  |        taken: may be granted again      |
 *     0 ───────── what the peer has been promised ─────────────────────────────────────────────▶ target
 *
 * A window fills its path when it is as large as what the path takes in one round trip; it is twice that, so that it finds out
 * whether the path takes more. While it is small it is four times that, which costs little and saves round trips. What is promised
 * cannot be taken back: the target follows what the reader has really taken, so it grows late, and a reader that stops is promised
 * nothing more.
 *
 * Over a path of no length the round trip is that of event loops: there a window that follows it is so small that both ends wait for
 * each other, and pay for that with half as much CPU again.
 */
import { WINDOW_MEASURE_MIN_MS, WINDOW_NEAR_BYTES, WINDOW_NEAR_MS } from './limits.ts';

export interface DrainMeasure {
  readonly targetBytes: number;
  /** Taken by the reader within the time. */
  readonly drainedBytes: number;
  readonly elapsedMs: number;
  /** Without queues; undefined while nobody knows. */
  readonly rttMs: number | undefined;
  /** What every stream may have, and the most that this one may. The second counts. */
  readonly leastBytes: number;
  readonly mostBytes: number;
}

/** How long the taking is to be measured for {@link nextTarget}: below a few milliseconds it is turns of the event loop that are measured. */
export function measureMs(rttMs: number): number {
  return Math.max(rttMs, WINDOW_MEASURE_MIN_MS);
}

/** The target from now on, by what was taken in a round trip; half of it at least, since one slow round trip proves little. */
export function nextTarget(measure: DrainMeasure): number {
  const { targetBytes, drainedBytes, elapsedMs, rttMs, leastBytes, mostBytes } = measure;
  if (rttMs === undefined || elapsedMs < measureMs(rttMs)) return clamp(targetBytes, leastBytes, mostBytes);
  const times = isNear(rttMs) || targetBytes >= LARGE_WINDOW_BYTES ? 2 : 4;
  const wantedBytes = (times * drainedBytes * rttMs) / elapsedMs;
  const isNearBulk = isNear(rttMs) && wantedBytes > leastBytes / 2;
  return clamp(
    isNearBulk ? Math.max(targetBytes, WINDOW_NEAR_BYTES) : Math.max(wantedBytes, targetBytes / 2),
    leastBytes,
    mostBytes,
  );
}

/** `most` counts where it is below `least`. */
function clamp(value: number, least: number, most: number): number {
  return Math.floor(Math.min(Math.max(value, least), most));
}

export interface Promised {
  readonly targetBytes: number;
  /** Granted and not here yet. */
  readonly outstandingBytes: number;
  /** Here, and not taken. */
  readonly waitingBytes: number;
  /** Without queues; undefined while nobody knows. */
  readonly rttMs: number | undefined;
}

/**
 * What to grant now: nothing, or so large a part of the target that it is worth a packet. What is not granted yet narrows the
 * window: a large one, which grows by less, could otherwise not be told from one that its path does not fill.
 */
export function grantOf({ targetBytes, outstandingBytes, waitingBytes, rttMs }: Promised): number {
  const roomBytes = targetBytes - outstandingBytes - waitingBytes;
  return roomBytes > 0 && roomBytes >= worthBytes(targetBytes, rttMs) ? roomBytes : 0;
}

/** A packet is a turn of two event loops: over a path of no length they come less often, and the window still never runs out. */
function worthBytes(targetBytes: number, rttMs: number | undefined): number {
  if (targetBytes < LARGE_WINDOW_BYTES) return targetBytes / 2;
  return isNear(rttMs) ? Math.max(targetBytes / 8, WINDOW_NEAR_BYTES / 4) : targetBytes / 8;
}

function isNear(rttMs: number | undefined): boolean {
  return rttMs !== undefined && rttMs <= WINDOW_NEAR_MS;
}

/** From here on an eighth is worth a packet, and round trips are no more spared than memory. */
const LARGE_WINDOW_BYTES = 1024 * 1024;
