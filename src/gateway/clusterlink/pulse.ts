/** When the next heartbeat is due, and when a gateway that answers none is lost. Pure. */
import {
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_LOST_MS,
  HEARTBEAT_LOST_MS_MAX,
  HEARTBEAT_LOST_ROUND_TRIPS,
  HEARTBEAT_RETRY_MS,
} from './limits.ts';

/** Monotonic milliseconds. */
export interface Pulse {
  /** When the last good answer came. */
  readonly answeredMs: number;
  /** When the first heartbeat since then was sent; undefined: none was. */
  readonly unansweredMs: number | undefined;
  /** When the last one was sent. */
  readonly askedMs: number;
  /** Smoothed. */
  readonly rttMs: number;
}

export type PulseStep =
  { readonly step: 'ask' } | { readonly step: 'lost' } | { readonly step: 'wait'; readonly waitMs: number };

/**
 *     answer ── 1 s ──▶ ask ── 0.4 s ──▶ ask again, over another connection ── 0.9 s after the first ──▶ lost
 *
 * It counts from a question, not from the last answer: after a stall of this process the other side has missed nothing.
 */
export function nextStep({ answeredMs, unansweredMs, askedMs, rttMs }: Pulse, nowMs: number): PulseStep {
  if (unansweredMs === undefined) return askOrWait(answeredMs + HEARTBEAT_INTERVAL_MS, nowMs);
  const lostMs = unansweredMs + patienceMs(rttMs);
  if (nowMs >= lostMs) return { step: 'lost' };
  const next = askOrWait(askedMs + Math.max(HEARTBEAT_RETRY_MS, 2 * rttMs), nowMs);
  return next.step === 'wait' ? { step: 'wait', waitMs: Math.min(next.waitMs, lostMs - nowMs) } : next;
}

function askOrWait(dueMs: number, nowMs: number): PulseStep {
  return nowMs >= dueMs ? { step: 'ask' } : { step: 'wait', waitMs: dueMs - nowMs };
}

/** How long answers may fail to come. */
export function patienceMs(rttMs: number): number {
  return Math.max(HEARTBEAT_LOST_MS, Math.min(HEARTBEAT_LOST_ROUND_TRIPS * rttMs, HEARTBEAT_LOST_MS_MAX));
}

/** As sessions smooth theirs. */
export function smooth(rttMs: number, sampleMs: number): number {
  return rttMs + (sampleMs - rttMs) / 4;
}
