/** Whether an object has every value that a writer wants of it, so that a write would change none. */
import type { KindName } from '../../api/kinds.ts';
import { isJsonMap, sameJson, type Json, type JsonMap } from '../json.ts';

/** Lists whose items merge by these members, by path: the server may order and complete them. Every other list is atomic. */
const KEYED_LISTS: Readonly<Record<string, readonly string[]>> = {
  '.metadata.ownerReferences': ['uid'],
  '.spec.ports': ['port', 'protocol'],
  '.status.clusters': ['cluster'],
  '.status.conditions': ['type'],
  '.status.gateways': ['name'],
};
/** `spec.ports` is keyed in a Service and atomic in a ServiceImport. */
const KEYED_IN: Readonly<Record<string, KindName>> = { '.spec.ports': 'Service' };

/** What the server adds to items of atomic lists that leave it out. */
const DEFAULTS: Partial<Record<KindName, Readonly<Record<string, JsonMap>>>> = {
  EndpointSlice: { '.ports': { name: '', protocol: 'TCP' }, '.endpoints': { conditions: {} } },
};

/** `present` may have more members than `desired`, of other writers or the server; a wrong "no" costs a request, no write. */
export function hasValues(kind: KindName, present: Json | undefined, desired: Json, path = ''): boolean {
  if (isJsonMap(desired)) {
    return (
      isJsonMap(present) &&
      Object.entries(desired).every(([key, value]) => hasValues(kind, ownMember(present, key), value, `${path}.${key}`))
    );
  }
  if (!Array.isArray(desired)) return sameJson(present, desired);
  if (!Array.isArray(present)) return false;
  const [items, wanted] = [present as readonly Json[], desired as readonly Json[]];
  const keys = listKeysOf(kind, path);
  if (keys !== undefined) {
    return wanted.every((item) => {
      const found = items.find((candidate) => keys.every((key) => sameJson(keyAt(candidate, key), keyAt(item, key))));
      return found !== undefined && hasValues(kind, found, item, `${path}[]`);
    });
  }
  const defaults = DEFAULTS[kind]?.[path] ?? {};
  return (
    items.length === wanted.length &&
    wanted.every((item, index) => sameJson(items[index], isJsonMap(item) ? { ...defaults, ...item } : item))
  );
}

/** The members that identify the items of a list; undefined for an atomic one. */
export function listKeysOf(kind: KindName, path: string): readonly string[] | undefined {
  return (KEYED_IN[path] ?? kind) === kind ? KEYED_LISTS[path] : undefined;
}

function ownMember(map: JsonMap, key: string): Json | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function keyAt(item: Json, key: string): Json | undefined {
  if (!isJsonMap(item)) return undefined;
  return ownMember(item, key) ?? (key === 'protocol' ? 'TCP' : undefined);
}
