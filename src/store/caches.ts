/** One cache for each kind of a store: what reconcilers, the gateway and DNS read. */
import { KIND_NAMES, type KindName } from '../api/kinds.ts';
import { makeCache, type ObjectCache } from './cache.ts';
import type { Store } from './store.ts';

export type Caches = { readonly [K in KindName]: ObjectCache<K> };

export function openCaches(store: Store): Caches {
  return Object.fromEntries(KIND_NAMES.map((kind) => [kind, makeCache(store, kind)])) as unknown as Caches;
}

export function closeCaches(caches: Caches): void {
  for (const kind of KIND_NAMES) caches[kind].close();
}

/** Calls back on any change of any of these kinds; the result stops it. */
export function onAnyChange(caches: Caches, kinds: readonly KindName[], listener: () => void): () => void {
  const stops = kinds.map((kind) => caches[kind].onChange(listener));
  return () => stops.forEach((stop) => stop());
}
