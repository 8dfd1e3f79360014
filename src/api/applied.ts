/** An object as a writer gives it to a store. */
import type { KindMap, KindName } from './kinds.ts';
import type { ObjectMeta } from './object.ts';

/** What a writer wants of one object: only the fields it owns. `metadata` needs name and, if the kind has one, namespace. */
export type Applied<K extends KindName> = Omit<KindMap[K], 'apiVersion' | 'kind' | 'metadata' | 'spec' | 'status'> & {
  apiVersion: KindMap[K]['apiVersion'];
  kind: K;
  metadata: ObjectMeta;
  spec?: PartOf<KindMap[K], 'spec'>;
  status?: PartOf<KindMap[K], 'status'>;
};
type PartOf<T, P extends 'spec' | 'status'> = T extends { [key in P]?: infer Part } ? Part : never;
