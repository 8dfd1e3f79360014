/** One document, or one item of a list → an object that a store can take, or what is wrong with it. Pure. */
import { apiVersionOf, KINDS, type KindName } from '../../api/kinds.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { formatKey, type KubeObject, type ObjectKey } from '../../api/object.ts';
import type { Finding } from '../../api/validation/finding.ts';
import { isMap, textAt, valueAt, type JsonObject } from '../../api/validation/json.ts';
import { printable, quote } from '../../api/validation/quote.ts';
import { validateObject } from '../../api/validation/validate.ts';
import { decideKind } from './manifest-kind.ts';
import type { Place } from './manifest-text.ts';

export interface ObjectFinding extends Finding {
  readonly severity: 'error' | 'warning';
  /** Where the path alone does not tell. */
  readonly place?: Place;
}

/** What became of a document. */
export interface ReadObject {
  /** As messages call it; absent when that is not sure. */
  readonly name?: string;
  readonly findings: readonly ObjectFinding[];
  /** What the store takes. */
  readonly taken?: { readonly kind: KindName; readonly object: KubeObject };
  /** What the store must not take; its last good form stays. */
  readonly rejected?: { readonly kind: KindName; readonly key: ObjectKey };
  /** True when it says nothing of any object of ours. */
  readonly isIgnored: boolean;
}

/** Namespace of a namespaced object that names none, as kubectl has it. */
const DEFAULT_NAMESPACE = 'default';
/** What an API server sets, and `kubectl get -o yaml` prints: of no meaning in a manifest. */
const SERVER_SET = ['uid', 'resourceVersion', 'creationTimestamp', 'managedFields', 'generation', 'selfLink'];

/** Members of an object that are not just copied. */
const SEPARATE = ['apiVersion', 'kind', 'metadata', 'status'];
/** Characters of the name of an object that is not ours. */
const FOREIGN_NAME_CHARS_MAX = 120;

/** Which object it is: problems with these make the document nobody's. */
const IDENTITY = ['apiVersion', 'kind', 'metadata', 'metadata.name', 'metadata.namespace'];

/**
 * @param duplicates - keys that stand twice in the document, at their second place; it is not sure what they say.
 */
export function readObject(value: unknown, duplicates: readonly (Finding & { readonly place: Place })[]): ReadObject {
  const doubts = duplicates.map((duplicate): ObjectFinding => ({ ...duplicate, severity: 'error' }));
  if (!isMap(value)) {
    const fix = 'Write apiVersion, kind and metadata, each on a line of its own.';
    return nobody([...doubts, toError({ path: [], message: `must be an object, is ${quote(value)}`, fix })]);
  }
  const { apiVersion, kind } = value;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || apiVersion === '' || kind === '') {
    const missing = typeof apiVersion !== 'string' || apiVersion === '' ? 'apiVersion' : 'kind';
    const fix = 'Each document needs apiVersion, kind and metadata.name.';
    return nobody([...doubts, toError({ path: [missing], message: 'is missing, or is no text', fix })]);
  }
  const decided = decideKind(apiVersion, kind);
  if (decided.verdict === 'known') return readKnown(decided.kind, value, doubts);
  const { field, message, fix } = decided;
  const finding = { path: [field], message, fix };
  if (decided.verdict === 'foreign') {
    return { name: foreignName(kind, value), findings: [{ ...finding, severity: 'warning' }], isIgnored: true };
  }
  const rejected = rejectedAs(decided.meant, value);
  return { ...nobody([...doubts, toError(finding)]), ...(rejected === undefined ? {} : { rejected }) };
}

function readKnown(kind: KindName, document: JsonObject, doubts: readonly ObjectFinding[]): ReadObject {
  const { object, dropped } = toStored(kind, document);
  const key = keyIn(object);
  const problems = validateObject(kind, object);
  const findings = [...doubts, ...internalFindings(kind), ...problems, ...userFindings(kind), ...dropped];
  const isSure = findings.every(({ path, severity }) => severity === 'warning' || !IDENTITY.includes(path.join('.')));
  const isRefused = doubts.length > 0 || KINDS[kind].internal || problems.some(({ admits }) => !admits);
  return {
    findings,
    isIgnored: false,
    ...(isSure ? { name: `${kind} ${formatKey(key)}` } : {}),
    ...(isRefused ? (isSure ? { rejected: { kind, key } } : {}) : { taken: { kind, object } }),
  };
}

/** The stored version of it, with its namespace, without what only a server writes. Members without a value are not there. */
function toStored(kind: KindName, document: JsonObject): { object: KubeObject; dropped: readonly ObjectFinding[] } {
  const { metadata, status } = document;
  const body = Object.entries(document).filter(([member]) => !SEPARATE.includes(member));
  const isStatusGiven = isMap(status) ? Object.keys(withoutNulls(status)).length > 0 : (status ?? null) !== null;
  const object = {
    apiVersion: apiVersionOf(kind),
    kind,
    metadata: isMap(metadata) ? toStoredMetadata(kind, metadata) : metadata,
    ...withoutNulls(Object.fromEntries(body)),
  };
  const message = 'is what clusterlink-mcs found out, a manifest cannot say it; it is ignored';
  const dropped = { path: ['status'], message, fix: 'Delete it.', severity: 'warning' } as const;
  return { object: object as KubeObject, dropped: isStatusGiven ? [dropped] : [] };
}

function toStoredMetadata(kind: KindName, metadata: JsonObject): JsonObject {
  const written = Object.entries(withoutNulls(metadata)).filter(([member]) => !SERVER_SET.includes(member));
  const namespace = kind === 'Peer' ? SYSTEM_NAMESPACE : DEFAULT_NAMESPACE;
  return { ...(KINDS[kind].namespaced ? { namespace } : {}), ...Object.fromEntries(written) };
}

/** `spec:` or `labels:` with nothing behind it, as templates print it. */
function withoutNulls(map: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== null));
}

function internalFindings(kind: KindName): ObjectFinding[] {
  if (!KINDS[kind].internal) return [];
  const message = `${kind} objects are written by clusterlink-mcs alone`;
  return [toError({ path: [], message, fix: 'Delete this document; import rules say what is imported.' })];
}

/** Only here is it known that a user, and not the controller, wrote the object. */
function userFindings(kind: KindName): ObjectFinding[] {
  if (kind !== 'ServiceImport') return [];
  const message =
    'ServiceImports are what import rules make; one in a manifest is read by rules of mode Requested alone';
  const fix = 'Write an ImportRule or a ClusterImportRule, and delete this document.';
  return [{ path: ['kind'], message, fix, severity: 'warning' }];
}

function rejectedAs(kind: KindName | undefined, document: JsonObject): ReadObject['rejected'] {
  if (kind === undefined) return undefined;
  const key = keyIn(toStored(kind, document).object);
  return key.name === '' ? undefined : { kind, key };
}

function keyIn(object: unknown): ObjectKey {
  const namespace = textAt(object, 'metadata', 'namespace') ?? '';
  return { namespace, name: textAt(object, 'metadata', 'name') ?? '' };
}

/** Nothing of it has been checked. */
function foreignName(kind: string, document: JsonObject): string {
  const parts = [valueAt(document, 'metadata', 'namespace'), valueAt(document, 'metadata', 'name')];
  const key = parts.filter((part) => typeof part === 'string').join('/');
  return printable(`${kind} ${key}`.trim(), FOREIGN_NAME_CHARS_MAX);
}

function nobody(findings: readonly ObjectFinding[]): ReadObject {
  return { findings, isIgnored: false };
}

function toError(finding: Finding): ObjectFinding {
  return { ...finding, severity: 'error' };
}
