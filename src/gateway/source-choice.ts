/** In which order the sources of an import are tried for one connection: pure. */
import { REASONS, type Reason } from '../api/reasons.ts';
import type { ImportRoute, RouteSource } from './messages.ts';

/** Whether a source can be used now, as far as is known without trying. */
export type Usability = { readonly usable: true } | { readonly usable: false; readonly reason: Reason };

export interface UsabilityInput {
  readonly self: string;
  readonly source: RouteSource;
  /** Peers with an open session. */
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
  /** How many connections came before: what turns the wheel of round robin. */
  readonly turn: number;
}

/** Usable sources that have the port; local ones first if the rule says so, each group turned by one a connection. */
export function orderSources({ self, route, port, reachable, turn }: ChoiceInput): RouteSource[] {
  const candidates = route.sources.filter(
    (source) => source.ports.includes(port) && usabilityOf({ self, source, reachable }).usable,
  );
  const isPreferred = (source: RouteSource): boolean => route.localFirst && source.peer === self;
  const preferred = candidates.filter(isPreferred);
  const others = candidates.filter((source) => !isPreferred(source));
  return [...rotate(preferred, turn), ...rotate(others, turn)];
}

function rotate<T>(items: readonly T[], turn: number): T[] {
  if (items.length === 0) return [];
  const first = turn % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
