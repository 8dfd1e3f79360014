/**
 * Which sources of an import a connection may use, and which of them go before which whatever the scheme: pure. Among those of
 * one rank the scheme decides (source-chooser.ts).
 *
 *   usable ─▶ not missed, not ejected ─▶ lower priority ─▶ weight 1 and more ─▶ local, if the rule says so ─▶ scheme
 *
 * Of the properties that a ServiceImport inherits from its exports (IMP-18 to IMP-21), `trafficDistribution` means local
 * first, which is what a rule says unless it says otherwise: of a source one only knows whether it is in this cluster.
 * `internalTrafficPolicy: Local` speaks of endpoints on the client's own node. Behind a gateway there are none; to take it as
 * "this cluster alone" would turn off every import of it. So it is carried, compared for conflicts, and chooses nothing.
 */
import { REASONS, type Reason } from '../api/reasons.ts';
import type { ImportRoute, RouteSource } from './messages.ts';

/** Whether a source can be used now, as far as is known without trying. */
export type Usability = { readonly usable: true } | { readonly usable: false; readonly reason: Reason };

export interface UsabilityInput {
  readonly self: string;
  readonly source: RouteSource;
  /** Peers with an open session, or one that was lost a moment ago. */
  readonly reachable: ReadonlySet<string>;
}

export function usabilityOf({ self, source, reachable }: UsabilityInput): Usability {
  if (source.peer !== self && !reachable.has(source.peer)) return { usable: false, reason: REASONS.PeerUnreachable };
  if (source.readyEndpoints === 0) return { usable: false, reason: REASONS.NoUsableSource };
  return { usable: true };
}

export interface ChoiceInput {
  readonly self: string;
  readonly route: ImportRoute;
  /** The import's port that the client dialled. */
  readonly port: number;
  readonly reachable: ReadonlySet<string>;
  /** Has no session now: its sources come late. */
  readonly isMissed: (peer: string) => boolean;
  /** Failed those that came before: comes last of all. */
  readonly isEjected: (source: RouteSource) => boolean;
}

/**
 * Usable sources that have the port, in ranks: no source of a rank is tried before all of the rank above it, and each is in one.
 * Those of missed peers come late and ejected ones last, where it counts no more whether one is local.
 */
export function rankUsable({ self, route, port, reachable, isMissed, isEjected }: ChoiceInput): RouteSource[][] {
  const usable = route.sources.filter(
    (source) => source.ports.includes(port) && usabilityOf({ self, source, reachable }).usable,
  );
  // Most imports have one.
  if (usable.length < 2) return usable.length === 0 ? [] : [usable];
  return groupByRank(usable, (source) => {
    const health = isEjected(source) ? 2 : isMissed(source.peer) ? 1 : 0;
    const [priority, weight, locality] = standingRank(source, { self, route });
    return [health, priority, weight, health === 0 ? locality : 0];
  });
}

/** All of these in the order that the rule alone gives them, as if every one could be used. */
export function orderAsRuled(
  sources: readonly RouteSource[],
  context: { readonly self: string; readonly route: ImportRoute },
): RouteSource[] {
  return groupByRank(sources, (source) => standingRank(source, context)).flat();
}

type Rank = readonly number[];

function standingRank(
  { peer, priority = 0, weight = 1 }: RouteSource,
  { self, route }: { readonly self: string; readonly route: ImportRoute },
): readonly [priority: number, weight: number, locality: number] {
  return [priority, weight === 0 ? 1 : 0, route.localFirst && peer === self ? 0 : 1];
}

/** In each rank the order of before. */
function groupByRank(sources: readonly RouteSource[], rankOf: (source: RouteSource) => Rank): RouteSource[][] {
  const groups: { readonly rank: Rank; readonly sources: RouteSource[] }[] = [];
  const ranked = sources.map((source) => ({ source, rank: rankOf(source) }));
  for (const { source, rank } of ranked.sort((a, b) => compareRanks(a.rank, b.rank))) {
    const last = groups.at(-1);
    if (last !== undefined && compareRanks(last.rank, rank) === 0) last.sources.push(source);
    else groups.push({ rank, sources: [source] });
  }
  return groups.map((group) => group.sources);
}

function compareRanks(a: Rank, b: Rank): number {
  const index = a.findIndex((place, at) => place !== b[at]);
  return index === -1 ? 0 : (a[index] ?? 0) - (b[index] ?? 0);
}

/** What a port of the import is at its source. */
export function portThere({ portsThere }: Pick<RouteSource, 'portsThere'>, port: number): number {
  return portsThere?.[port] ?? port;
}
