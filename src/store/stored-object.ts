/** One object as the store keeps it: what each manager applied, and what the store itself gives. Pure. */
import { apiVersionOf, type KindName } from '../api/kinds.ts';
import type { KubeObject, ObjectKey } from '../api/object.ts';
import { deepFreeze, sameJson, toJsonMap, type JsonMap } from './json.ts';
import { mergeConfigurations, type Configurations } from './ownership.ts';

/** The field manager of what a manifest of the user says. */
export const USER_MANAGER = 'user';

/** The user's own document behind an object. */
export interface Declaration {
  /** The document as it was taken last: a manifest that says the same changes nothing. */
  readonly document: JsonMap;
  /** Relative to the manifests folder. */
  readonly file: string;
  readonly line: number;
}

/** What changes about an object; everything else follows. */
export interface ObjectParts {
  /** Everything but status, by manager. */
  readonly main: Configurations;
  readonly status: Configurations;
  readonly declaration: Declaration | undefined;
}

export interface StoredObject extends ObjectParts {
  readonly kind: KindName;
  readonly key: ObjectKey;
  readonly uid: string;
  /** RFC 3339, second precision. */
  readonly creationTimestamp: string;
  /** 1 at first; grows with every change of anything but metadata and status. */
  readonly generation: number;
  /** Grows with every change that a reader can see. */
  readonly resourceVersion: number;
}

/** Members of metadata that a writer owns; the store gives all others, or they mean nothing here. */
const OWNED_METADATA = ['labels', 'annotations', 'finalizers', 'ownerReferences'];
const NOT_CONFIGURED = new Set(['apiVersion', 'kind', 'metadata', 'status']);

/** What an object says that a manager can own: everything but its identity and its status. */
export function mainConfiguration(object: unknown): JsonMap {
  const json = toJsonMap(object);
  const metadata = Object.entries(toJsonMap(json['metadata'])).filter(([key]) => OWNED_METADATA.includes(key));
  const body = Object.entries(json).filter(([key]) => !NOT_CONFIGURED.has(key));
  return Object.fromEntries([
    ...(metadata.length > 0 ? [['metadata', Object.fromEntries(metadata)]] : []),
    ...body,
  ]) as JsonMap;
}

export function statusConfiguration(object: { readonly status?: unknown }): JsonMap {
  const status = toJsonMap(object.status);
  return Object.keys(status).length === 0 ? {} : { status };
}

/** The object with new parts; the very same one when nothing changes. */
export function reviseObject(present: StoredObject, parts: ObjectParts, nextVersion: () => number): StoredObject {
  const mainBefore = mergeConfigurations(present.main);
  const mainAfter = mergeConfigurations(parts.main);
  const isMainSame = sameJson(mainBefore, mainAfter);
  const isStatusSame = sameJson(mergeConfigurations(present.status), mergeConfigurations(parts.status));
  const isSame =
    isMainSame &&
    isStatusSame &&
    sameJson(present.main, parts.main) &&
    sameJson(present.status, parts.status) &&
    sameDeclaration(present.declaration, parts.declaration);
  if (isSame) return present;
  return {
    ...present,
    ...parts,
    generation: present.generation + (sameJson(withoutMetadata(mainBefore), withoutMetadata(mainAfter)) ? 0 : 1),
    resourceVersion: isMainSame && isStatusSame ? present.resourceVersion : nextVersion(),
  };
}

/** The object as readers see it, frozen. */
export function toVisible({ kind, key, ...stored }: StoredObject): KubeObject {
  const { metadata, ...body } = mergeConfigurations(stored.main);
  return deepFreeze({
    apiVersion: apiVersionOf(kind),
    kind,
    metadata: {
      name: key.name,
      ...(key.namespace === '' ? {} : { namespace: key.namespace }),
      uid: stored.uid,
      creationTimestamp: stored.creationTimestamp,
      generation: stored.generation,
      resourceVersion: String(stored.resourceVersion),
      ...toJsonMap(metadata),
    },
    ...body,
    ...mergeConfigurations(stored.status),
  });
}

function withoutMetadata(body: JsonMap): JsonMap {
  return Object.fromEntries(Object.entries(body).filter(([key]) => key !== 'metadata'));
}

/** Lines move with every edit above; only what is worth a write counts. */
function sameDeclaration(a: Declaration | undefined, b: Declaration | undefined): boolean {
  return a?.file === b?.file && sameJson(a?.document, b?.document);
}
