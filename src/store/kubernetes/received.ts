/** An object as an API server gave it -> as readers see it, and what a writer needs to know of it. */
import { apiVersionOf, type KindName } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/object.ts';
import { isJsonMap, type Json, type JsonMap } from '../json.ts';
import { ownedFieldsOf, type OwnedFields } from './owned-fields.ts';
import { settle } from './settle.ts';

export interface Received {
  /** Frozen; of the version that all code here sees, without managedFields; Pods and Nodes only with what is read. */
  readonly object: KubeObject;
  readonly owned: OwnedFields;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** Members of metadata that are kept of a kind that is never written here. */
const READ_METADATA = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'labels',
];
/** A Pod has 5-20 KB, and a cluster thousands: what `src/api/builtin/` declares is a twentieth of it. */
const READ_MEMBERS: Partial<Record<KindName, Readonly<Record<string, readonly string[]>>>> = {
  Pod: { spec: ['serviceAccountName', 'hostNetwork', 'nodeName'], status: ['phase', 'podIP', 'podIPs', 'conditions'] },
  Node: { status: ['addresses'] },
};

/** Undefined for what is no object of Kubernetes. */
export function receive(kind: KindName, raw: unknown): Received | undefined {
  if (!isJsonMap(raw) || !isJsonMap(raw['metadata'])) return undefined;
  const { managedFields, ...metadata } = raw['metadata'];
  const { name, uid = '', resourceVersion = '' } = metadata;
  if (typeof name !== 'string' || typeof uid !== 'string' || typeof resourceVersion !== 'string') return undefined;
  const read = READ_MEMBERS[kind];
  const body = read === undefined ? withoutNulls(raw) : pickBody(raw, read);
  const object = {
    ...body,
    apiVersion: apiVersionOf(kind),
    kind,
    metadata: read === undefined ? briefMetadata(kind, metadata) : pick(metadata, READ_METADATA),
  };
  return { object: settle(object), owned: ownedFieldsOf(managedFields), uid, resourceVersion };
}

/** Go writes an empty list that has no `omitempty` as null: the endpoints and ports of an EndpointSlice. Null means unset. */
function withoutNulls(raw: JsonMap): JsonMap {
  const entries = Object.entries(raw);
  if (!entries.some(([, value]) => value === null)) return raw;
  return Object.fromEntries<Json>(
    entries.flatMap(([member, value]) =>
      value !== null ? [[member, value]] : member === 'endpoints' ? [[member, []]] : [],
    ),
  );
}

/** Tenants may annotate with 256 KiB an object: of kinds that others write only what has a meaning here is kept. */
const ANNOTATED_BY_OTHERS: ReadonlySet<KindName> = new Set(['Service', 'EndpointSlice', 'Namespace']);
const READ_ANNOTATIONS = /^(?:mcs\.clusterlink\.net|multicluster\.kubernetes\.io)\//;

function briefMetadata(kind: KindName, metadata: JsonMap): JsonMap {
  const { annotations, ...rest } = metadata;
  if (!isJsonMap(annotations) || !ANNOTATED_BY_OTHERS.has(kind)) return metadata;
  const read = Object.entries(annotations).filter(([key]) => READ_ANNOTATIONS.test(key));
  return read.length === 0 ? rest : { ...rest, annotations: Object.fromEntries<Json>(read) };
}

function pickBody(raw: JsonMap, read: Readonly<Record<string, readonly string[]>>): JsonMap {
  const entries = Object.entries(read).map(([part, members]): [string, Json] => [part, pick(raw[part], members)]);
  return Object.fromEntries(entries);
}

function pick(value: Json | undefined, members: readonly string[]): JsonMap {
  if (!isJsonMap(value)) return {};
  return Object.fromEntries<Json>(
    members.flatMap((member) => {
      const found = value[member];
      return found === undefined ? [] : [[member, member === 'conditions' ? briefConditions(found) : found]];
    }),
  );
}

function briefConditions(conditions: Json): Json {
  return Array.isArray(conditions)
    ? (conditions as readonly Json[]).map((condition) => pick(condition, ['type', 'status']))
    : conditions;
}

/** Whether version `a` is `b` or later; undefined when it cannot be told (versions are integers from Kubernetes 1.35 on). */
export function isAtLeast(a: string, b: string): boolean | undefined {
  if (a === b) return true;
  if (!/^\d{1,30}$/.test(a) || !/^\d{1,30}$/.test(b)) return undefined;
  return BigInt(a) >= BigInt(b);
}
