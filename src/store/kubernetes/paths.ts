/** Where the API server keeps a kind and an object. */
import { KINDS, type KindName } from '../../api/kinds.ts';
import type { ObjectKey } from '../../api/object.ts';

export interface CollectionOptions {
  readonly kind: KindName;
  /** One that the server serves. */
  readonly version: string;
  /** Only this namespace; default all. */
  readonly namespace?: string;
}

/** `/apis/GROUP/VERSION`, `/api/v1` for the core group. */
export function groupVersionPath(group: string, version: string): string {
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
}

export function collectionPath({ kind, version, namespace }: CollectionOptions): string {
  const { group, plural } = KINDS[kind];
  const place = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${groupVersionPath(group, version)}${place}/${plural}`;
}

export function objectPath(kind: KindName, version: string, { namespace, name }: ObjectKey): string {
  const collection = collectionPath({ kind, version, ...(namespace === '' ? {} : { namespace }) });
  return `${collection}/${encodeURIComponent(name)}`;
}

export function withQuery(path: string, query: Readonly<Record<string, string | number | undefined>>): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  if (pairs.length === 0) return path;
  return `${path}?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString()}`;
}

/** `serviceexports.multicluster.x-k8s.io`: how messages name a resource. */
export function resourceName(kind: KindName): string {
  const { group, plural } = KINDS[kind];
  return group === '' ? plural : `${plural}.${group}`;
}

/** The rule of a role that allows this, as it stands in a manifest. */
export function missingRule(kind: KindName, verbs: readonly string[], subresource?: string): string {
  const { group, plural } = KINDS[kind];
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
  return `apiGroups: ["${group}"], resources: ["${resource}"], verbs: [${verbs.map((verb) => `"${verb}"`).join(', ')}]`;
}
