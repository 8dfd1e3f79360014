/**
 * What one of our managers owns of an object, from `metadata.managedFields`.
 *
 * fieldsV1 is a tree whose keys are steps: `f:name` a member of a map, `k:{"type":"Ready"}` the item of a list with these
 * members, `v:"x"` a value of a set, `i:0` an index, `.` the place itself (Kubernetes API, FieldsV1).
 */
import type { KindName } from '../../api/kinds.ts';
import { isJsonMap, sameJson, type Json, type JsonMap } from '../json.ts';
import { SHARED_FIELDS_MAX } from './limits.ts';
import { listKeysOf } from './same-values.ts';

export type Subresource = 'status' | undefined;

/** Managers of this product: of others nothing is kept. */
const OUR_MANAGERS = /^clusterlink-mcs/;

/** `manager` or `manager/status` -> its fieldsV1 as text: a tenth of the memory of the parsed tree. */
export type OwnedFields = ReadonlyMap<string, string>;

const NOTHING: OwnedFields = new Map();

/** @param managedFields - as the API server gives it, unchecked. */
export function ownedFieldsOf(managedFields: unknown): OwnedFields {
  if (!Array.isArray(managedFields)) return NOTHING;
  const ours = (managedFields as unknown[])
    .filter(isJsonMap)
    .filter(
      ({ manager, operation }) => typeof manager === 'string' && OUR_MANAGERS.test(manager) && operation === 'Apply',
    )
    .map((entry): [string, string] => [
      idOf(entry['manager'] as string, entry['subresource'] === 'status' ? 'status' : undefined),
      JSON.stringify(entry['fieldsV1'] ?? {}),
    ]);
  return ours.length === 0 ? NOTHING : share(ours);
}

/**
 * Of objects that one controller writes the same fields are owned: one map for thousands of them. The oldest goes first, and only
 * means that another copy is made.
 */
const shared = new Map<string, OwnedFields>();

function share(entries: readonly (readonly [string, string])[]): OwnedFields {
  const text = JSON.stringify(entries);
  // Its keys are uids of owners: hardly another object has the same.
  if (text.includes('f:ownerReferences')) return new Map(entries);
  const known = shared.get(text);
  if (known !== undefined) return known;
  const owned = new Map(entries);
  shared.set(text, owned);
  if (shared.size > SHARED_FIELDS_MAX) {
    for (const oldest of shared.keys()) {
      shared.delete(oldest);
      break;
    }
  }
  return owned;
}

export function isOurManager(manager: string): boolean {
  return OUR_MANAGERS.test(manager);
}

/**
 * Whether applying `desired` would take nothing away from this manager: all that it owns stands in `desired` too. False also
 * when it cannot be told, and when it owns nothing although it desires something: then it has yet to become an owner.
 */
export function ownsNoMore(owned: OwnedFields, { kind, manager, subresource, desired }: OwnershipQuestion): boolean {
  const text = owned.get(idOf(manager, subresource));
  if (text === undefined) return Object.keys(desired).length === 0;
  return isWithin(kind, JSON.parse(text) as Json, desired);
}

export interface OwnershipQuestion {
  readonly kind: KindName;
  readonly manager: string;
  readonly subresource: Subresource;
  readonly desired: JsonMap;
}

function idOf(manager: string, subresource: Subresource): string {
  return subresource === undefined ? manager : `${manager}/${subresource}`;
}

function isWithin(kind: KindName, fields: Json, value: Json, path = ''): boolean {
  if (!isJsonMap(fields)) return false;
  return Object.entries(fields).every(([step, below]) => {
    if (step === '.') return true;
    const child = childAt(value, step);
    if (child === undefined) return false;
    const childPath = step.startsWith('f:') ? `${path}.${step.slice(2)}` : `${path}[]`;
    if (!isJsonMap(below) || Object.keys(below).length > 0) return isWithin(kind, below, child, childPath);
    // Owned as a whole although it has keys in our schema: an older CRD has an atomic list there, and items may be leaving.
    return listKeysOf(kind, childPath) === undefined;
  });
}

function childAt(value: Json, step: string): Json | undefined {
  const [sort, name] = [step.slice(0, 2), step.slice(2)];
  if (sort === 'f:') return isJsonMap(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  if (!Array.isArray(value)) return undefined;
  const items = value as readonly Json[];
  const wanted = sort === 'k:' || sort === 'v:' ? parse(name) : undefined;
  if (wanted === undefined) return undefined;
  if (sort === 'v:') return items.find((item) => sameJson(item, wanted));
  return isJsonMap(wanted) ? items.find((item) => isJsonMap(item) && hasKeys(item, wanted)) : undefined;
}

/** Keys that a writer may leave out are given by the server: of the lists here only the protocol of a port. */
function hasKeys(item: JsonMap, keys: JsonMap): boolean {
  return Object.entries(keys).every(([key, wanted]) =>
    sameJson(item[key] ?? (key === 'protocol' ? 'TCP' : undefined), wanted),
  );
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
