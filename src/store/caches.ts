/** One cache for each kind of a store: what reconcilers, the gateway and DNS read. */
import { KIND_NAMES, KINDS, type KindName } from '../api/kinds.ts';
import { makeCache, type ObjectCache } from './cache.ts';
import type { Store } from './store.ts';

export type CachesOf<K extends KindName> = { readonly [Kind in K]: ObjectCache<Kind> };

/** Kinds that every home has. */
export type CommonKind = Exclude<KindName, ClusterOnlyKind>;
export type ClusterOnlyKind = 'Namespace' | 'Node' | 'Pod';
export type Caches = CachesOf<CommonKind>;
/** What a cluster has besides. */
export type ClusterCaches = CachesOf<KindName>;

export const COMMON_KINDS = KIND_NAMES.filter((name): name is CommonKind => !KINDS[name].clusterOnly);

export function openCaches<K extends KindName>(store: Store, kinds: readonly K[]): CachesOf<K> {
  return Object.fromEntries(kinds.map((kind) => [kind, makeCache(store, kind)])) as unknown as CachesOf<K>;
}

export function closeCaches(caches: { readonly [kind: string]: { close(): void } }): void {
  for (const cache of Object.values(caches)) cache.close();
}

/** Calls back on any change of any of these kinds; the result stops it. */
export function onAnyChange<K extends KindName>(
  caches: { readonly [Kind in K]: Pick<ObjectCache<Kind>, 'onChange'> },
  kinds: readonly K[],
  listener: () => void,
): () => void {
  const stops = kinds.map((kind) => caches[kind].onChange(listener));
  return () => stops.forEach((stop) => stop());
}
