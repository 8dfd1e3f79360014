/** What a write must satisfy before it happens, and the errors that say so. */
import { AppError } from '../api/errors.ts';
import { apiVersionOf, isKindName, KINDS, type KindName } from '../api/kinds.ts';
import { isLabel, isSubdomain } from '../api/names.ts';
import { formatKey, keyOf, type KubeObject, type ObjectKey } from '../api/object.ts';
import { MANAGER_NAME_CHARS_MAX, MANAGERS_PER_OBJECT_MAX, OBJECT_BYTES_MAX } from './limits.ts';
import { NAMED_CONFLICTS_MAX, NAMED_PROBLEMS_MAX } from './limits.ts';
import { applyConfiguration, type ApplyRequest, type Configurations } from './ownership.ts';
import type { StoredObject } from './stored-object.ts';
import type { ApplyOptions } from './store.ts';

/** What the schema and the rules beside it say about an object. */
export type ValidateObject = (
  kind: KindName,
  object: KubeObject,
) => readonly { readonly field?: string; readonly message: string; readonly fix?: string }[];

export function identify(object: KubeObject): { kind: KindName; key: ObjectKey } {
  const { kind, apiVersion } = object;
  const key = keyOf(object);
  if (!isKindName(kind)) throw invalid(`${kind} ${formatKey(key)}: not a kind of this product`);
  if (apiVersion !== apiVersionOf(kind)) {
    throw invalid(`${kind} ${formatKey(key)}: apiVersion ${apiVersion} is not ${apiVersionOf(kind)}`);
  }
  checkKey(kind, key);
  return { kind, key };
}

/** Names become paths: nothing but a DNS name passes. */
export function checkKey(kind: KindName, { namespace, name }: ObjectKey): void {
  const shown = `${kind} ${JSON.stringify(formatKey({ namespace, name }))}`;
  if (!isSubdomain(name)) throw invalid(`${shown}: metadata.name is not a DNS subdomain name (RFC 1123)`);
  if (KINDS[kind].namespaced ? !isLabel(namespace) : namespace !== '') {
    throw invalid(
      KINDS[kind].namespaced
        ? `${shown}: metadata.namespace is not a DNS label (RFC 1123)`
        : `${shown}: the kind has no namespace`,
    );
  }
}

export function toRequest(
  configuration: ApplyRequest['configuration'],
  { fieldManager, force = false }: ApplyOptions,
): ApplyRequest {
  if (fieldManager === '' || fieldManager.length > MANAGER_NAME_CHARS_MAX) {
    throw invalid(`field manager ${JSON.stringify(fieldManager)}: 1 to ${MANAGER_NAME_CHARS_MAX} characters`);
  }
  return { manager: fieldManager, configuration, force };
}

export function applyOwned(
  kind: KindName,
  key: ObjectKey,
  present: Configurations,
  request: ApplyRequest,
): Configurations {
  const { configurations, conflicts } = applyConfiguration(present, request);
  if (conflicts.length > 0) {
    const named = conflicts.slice(0, NAMED_CONFLICTS_MAX).map(({ field, owner }) => `${field} (${owner})`);
    const more = conflicts.length > named.length ? ` and ${conflicts.length - named.length} more` : '';
    throw new AppError(
      'ERR_CONFLICT',
      `${kind} ${formatKey(key)}: fields of other managers: ${named.join(', ')}${more}`,
      { fix: 'Leave these fields out, let their owner give them up, or apply with force.' },
    );
  }
  if (Object.keys(configurations).length > MANAGERS_PER_OBJECT_MAX) {
    throw new AppError(
      'ERR_BOUND_EXCEEDED',
      `${kind} ${formatKey(key)}: more than ${MANAGERS_PER_OBJECT_MAX} managers`,
      {
        fix: 'Delete the object and let it be made again; a writer seems to change its name.',
      },
    );
  }
  return configurations;
}

/** `uid` and `resourceVersion` in what is applied mean: only if the object is still this one. */
export function checkPreconditions({ kind, metadata }: KubeObject, present: StoredObject | undefined): void {
  const { uid, resourceVersion } = metadata ?? {};
  const isOther =
    (uid !== undefined && uid !== present?.uid) ||
    (resourceVersion !== undefined && resourceVersion !== String(present?.resourceVersion));
  if (!isOther) return;
  const name = formatKey({ namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' });
  throw new AppError('ERR_CONFLICT', `${kind} ${name}: it is not the object that was read before`, {
    fix: 'Read it again and decide anew.',
  });
}

export function checkDeletable({ kind, key, uid, declaration }: StoredObject, expected: string | undefined): void {
  if (expected !== undefined && expected !== uid) {
    throw new AppError('ERR_CONFLICT', `${kind} ${formatKey(key)}: its uid is ${uid}, not ${expected}`, {
      fix: 'Read it again and decide anew.',
    });
  }
  if (declaration !== undefined) {
    throw new AppError(
      'ERR_CONFLICT',
      `${kind} ${formatKey(key)}: declared in ${declaration.file}:${declaration.line}, which only its owner changes`,
      { fix: `Delete it from ${declaration.file}.` },
    );
  }
}

export function checkVisible(kind: KindName, object: KubeObject, validate: ValidateObject): void {
  const name = formatKey(keyOf(object));
  const problems = validate(kind, object);
  if (problems.length > 0) {
    const named = problems.slice(0, NAMED_PROBLEMS_MAX);
    const text = named.map(({ field, message }) => (field === undefined ? message : `${field}: ${message}`)).join('; ');
    const fix = problems[0]?.fix;
    throw new AppError('ERR_INVALID_OBJECT', `${kind} ${name}: ${text}`, fix === undefined ? {} : { fix });
  }
  if (Buffer.byteLength(JSON.stringify(object)) > OBJECT_BYTES_MAX) {
    throw new AppError('ERR_BOUND_EXCEEDED', `${kind} ${name}: more than ${OBJECT_BYTES_MAX} bytes as JSON`, {
      fix: 'Split it.',
    });
  }
}

function invalid(message: string): AppError {
  return new AppError('ERR_INVALID_OBJECT', message, {
    fix: 'Correct the object; see `npx clusterlink-mcs check --help`.',
  });
}

export function notFound(kind: KindName, key: ObjectKey): AppError {
  return new AppError('ERR_NOT_FOUND', `${kind} ${formatKey(key)}: there is no such object`, {
    fix: 'Create it first; a status belongs to an object.',
  });
}
