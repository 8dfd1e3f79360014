/**
 * How many sessions with the gateways behind one address are wanted: one that takes what is in a hurry, and one more for each that
 * carries bulk, since what is opened beside bulk waits behind what that has under way, and one TCP connection is as fast as
 * its losses let it be. Pure: its clock is the caller's.
 *
 *   every one loaded for FURTHER_AFTER_MS ──▶ one more          more than one not loaded for FEWER_AFTER_MS ──▶ one fewer
 */
import { CROWDED_STREAMS, FEWER_AFTER_MS, FURTHER_AFTER_MS, SESSIONS_BY_LOAD_MAX } from './limits.ts';

export interface SessionLoad {
  /** It carries bulk. */
  readonly busy: boolean;
  /** The peer takes no further streams over it: it may take fewer than {@link CROWDED_STREAMS}. */
  readonly full: boolean;
  /** Open ones, whoever opened them. */
  readonly streams: number;
}

/** What one look leaves for the next one. */
export interface Demand {
  /** How many are wanted of those that were looked at. At most one more or one fewer than there were. */
  readonly wanted: number;
  /** Since when there is none, or more than one, that is not loaded; undefined: there is one, as there should be. */
  readonly since: Since | undefined;
}

interface Since {
  readonly what: 'none-free' | 'some-spare';
  readonly ms: number;
}

export interface DemandTimings {
  readonly furtherAfterMs: number;
  readonly fewerAfterMs: number;
}

export const DEMAND_TIMINGS: DemandTimings = { furtherAfterMs: FURTHER_AFTER_MS, fewerAfterMs: FEWER_AFTER_MS };

/** Whether a new stream had better take another one. */
export function isLoaded({ busy, full, streams }: SessionLoad): boolean {
  return busy || full || streams >= CROWDED_STREAMS;
}

/** @param loads - of those that take new streams, those that the peer has dialled among them. */
export function demandOf(input: {
  readonly loads: readonly SessionLoad[];
  readonly before: Demand | undefined;
  readonly nowMs: number;
  readonly timings: DemandTimings;
}): Demand {
  const { loads, before, nowMs, timings } = input;
  const present = loads.length;
  const free = present - loads.filter(isLoaded).length;
  if (present === 0 || free === 1) return { wanted: present, since: undefined };
  const what = free === 0 ? 'none-free' : 'some-spare';
  const since: Since = before?.since?.what === what ? before.since : { what, ms: nowMs };
  const lastedMs = nowMs - since.ms;
  if (what === 'some-spare') return { wanted: lastedMs >= timings.fewerAfterMs ? present - 1 : present, since };
  const isDue = lastedMs >= timings.furtherAfterMs && present < SESSIONS_BY_LOAD_MAX;
  return { wanted: isDue ? present + 1 : present, since };
}
