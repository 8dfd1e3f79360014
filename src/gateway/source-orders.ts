/** In which order sources of one rank are tried, by scheme, where that needs no count of turns: pure. */
import { formatSource } from '../api/record.ts';
import { LATENCY_MARGIN_MIN_MS, LATENCY_MARGIN_PERCENT } from './limits.ts';
import type { RouteSource } from './messages.ts';

/** Its part of the connections. Those of weight 0 are a rank of their own, and equal in it. */
export function shareOf({ weight = 1 }: RouteSource): number {
  return Math.max(1, weight);
}

/**
 * By chance: each is the first as often as its weight says, and so on among those that are left (Efraimidis and Spirakis 2006).
 *
 * @param random - at least 0, less than 1.
 */
export function orderByChance(sources: readonly RouteSource[], random: () => number): RouteSource[] {
  return sources
    .map((source) => ({ source, waitsFor: -Math.log(1 - random()) / shareOf(source) }))
    .sort((a, b) => a.waitsFor - b.waitsFor)
    .map(({ source }) => source);
}

export interface LatencyOrder {
  readonly sources: readonly RouteSource[];
  /** Round trip to the peer; undefined while nobody knows. */
  readonly latencyMsOf: (peer: string) => number | undefined;
  /** `peer/namespace/name` of the source that was nearest before. */
  readonly leader: string | undefined;
}

/**
 * The nearest first, unknown ones last. The one that led goes on until another is nearer by a margin: two that are as far as
 * each other would else take turns with every ping.
 */
export function orderByLatency({ sources, latencyMsOf, leader }: LatencyOrder): RouteSource[] {
  const measured = sources
    .map((source) => ({ source, latencyMs: latencyMsOf(source.peer) ?? Infinity }))
    .sort((a, b) => (a.latencyMs === b.latencyMs ? 0 : a.latencyMs - b.latencyMs));
  const [nearest] = measured;
  const led = measured.find(({ source }) => formatSource(source) === leader);
  const stays = nearest !== undefined && led !== undefined && !isClearlyNearer(nearest.latencyMs, led.latencyMs);
  const ordered = stays ? [led, ...measured.filter((one) => one !== led)] : measured;
  return ordered.map(({ source }) => source);
}

function isClearlyNearer(latencyMs: number, thanMs: number): boolean {
  if (thanMs === Infinity) return latencyMs !== Infinity;
  return thanMs - latencyMs > Math.max(LATENCY_MARGIN_MIN_MS, (thanMs * LATENCY_MARGIN_PERCENT) / 100);
}
