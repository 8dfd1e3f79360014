/**
 * In which order the sources of an import are tried for one connection: pure.
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
  /** Has no session now: its sources come last. */
  readonly isMissed: (peer: string) => boolean;
  /** Failed those that came before: comes last of all. */
  readonly isEjected: (source: RouteSource) => boolean;
  /** How many connections came before: what turns the wheel of round robin. */
  readonly turn: number;
  /** Another order than that of the rule, within the local ones and within the others. */
  readonly prefer?: (sources: RouteSource[]) => RouteSource[];
}

/**
 * Usable sources that have the port; local ones first if the rule says so, those of missed peers late, ejected ones last, each
 * group turned by one a connection.
 */
export function orderSources({
  self,
  route,
  port,
  reachable,
  isMissed,
  isEjected,
  turn,
  prefer = (all) => all,
}: ChoiceInput): RouteSource[] {
  const candidates = route.sources.filter(
    (source) => source.ports.includes(port) && usabilityOf({ self, source, reachable }).usable,
  );
  const rankOf = (source: RouteSource): number => {
    if (isEjected(source)) return 3;
    if (isMissed(source.peer)) return 2;
    return route.localFirst && source.peer === self ? 0 : 1;
  };
  const ranked = Map.groupBy(candidates, rankOf);
  return [0, 1, 2, 3].flatMap((rank) => rotate(prefer(ranked.get(rank) ?? []), turn));
}

function rotate<T>(items: readonly T[], turn: number): T[] {
  if (items.length === 0) return [];
  const first = turn % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
