/** What an API server says when it does not do what was asked: its `Status` object, read with care, as an `AppError`. */
import { AppError } from '../../api/errors.ts';
import type { KindName } from '../../api/kinds.ts';
import { formatKey, type ObjectKey } from '../../api/object.ts';
import { isJsonMap } from '../json.ts';
import { NAMED_CONFLICTS_MAX } from '../limits.ts';
import type { ApiAnswer } from './transport.ts';
import { QUOTED_CAUSE_CHARS_MAX, QUOTED_CAUSES_MAX } from './limits.ts';
import { missingRule, resourceName } from './paths.ts';

export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

export interface ApiStatus {
  /** False: the body was no Status, as for a path that the server does not know. */
  readonly isStatus: boolean;
  /** `NotFound`, `Conflict`, `Invalid`, ...; may be empty. */
  readonly reason: string;
  readonly message: string;
  /** `details.kind`: `namespaces` when a namespace is missing. */
  readonly kind: string;
  readonly causes: readonly StatusCause[];
}

export function parseStatus(body: unknown): ApiStatus {
  const status = isJsonMap(body) && body['kind'] === 'Status' ? body : undefined;
  const details = isJsonMap(status?.['details']) ? status['details'] : {};
  const causes = Array.isArray(details['causes']) ? (details['causes'] as unknown[]) : [];
  return {
    isStatus: status !== undefined,
    reason: textOf(status?.['reason']),
    message: textOf(status?.['message']),
    kind: textOf(details['kind']),
    causes: causes.filter(isJsonMap).map(({ reason, message, field }) => ({
      reason: textOf(reason),
      message: textOf(message),
      field: textOf(field),
    })),
  };
}

/** What was tried, for messages. `verb` is what a role would have to allow. */
export interface Attempt {
  readonly kind: KindName;
  readonly key: ObjectKey;
  readonly verb: 'apply' | 'apply-status' | 'delete' | 'get' | 'list' | 'watch';
}

/** Why an object has no place here, in `details.missing` of `ERR_NOT_FOUND`. */
export type Missing = 'kind' | 'namespace' | 'object';

/**
 * The error for an answer that is no success.
 *
 * - `ERR_NOT_FOUND` with `details.missing`: `object`; `namespace` when it is absent or going (no use to try again until it is
 *   there); `kind` when the server does not serve it (retryable: its CRD may come).
 * - `ERR_CONFLICT` names fields and their managers, `ERR_INVALID_OBJECT` fields and what is wrong with them.
 * - `ERR_FORBIDDEN` names verb and resource, and the rule to add.
 * - `ERR_STORE_UNAVAILABLE`, retryable, for 429 and 5xx.
 */
export function toAppError(attempt: Attempt, answer: Pick<ApiAnswer, 'body' | 'status'>): AppError {
  const status = parseStatus(answer.body);
  const { kind, key } = attempt;
  const what = key.name === '' ? resourceName(kind) : `${kind} ${formatKey(key)}`;
  switch (answer.status) {
    case 400:
    case 422:
      return isIdentityConflict(status) ? notTheSame(what) : invalid(what, status);
    case 401:
      // Tokens are renewed under us.
      return new AppError('ERR_FORBIDDEN', `${what}: the API server does not accept our credentials`, {
        retryable: true,
        fix: 'Renew the token or certificate of the kubeconfig or service account.',
      });
    case 403:
      return status.causes.some(({ reason }) => reason === 'NamespaceTerminating')
        ? missing(what, 'namespace', `namespace ${key.namespace} is being deleted`)
        : forbidden(what, attempt, status);
    case 404:
      return notFound(what, attempt, status);
    case 409:
      return conflict(what, status);
    case 413:
      return tooLarge(what);
    default:
      return ofServer(what, answer.status, status);
  }
}

/** What the patch names that the served schema does not have, when that alone is wrong with it: `.status.x`, ... */
export function undeclaredFields({ status, body }: Pick<ApiAnswer, 'body' | 'status'>): readonly string[] {
  const problems = status === 500 ? typedPatchProblems(parseStatus(body).message) : [];
  const fields = problems.map((problem) => /^(\S+): field not declared in schema$/.exec(problem)?.[1]);
  return fields.every((field) => field !== undefined) ? fields : [];
}

/** Server-side apply answers 500, not 422, to a patch that does not fit the schema (kube-apiserver up to 1.37 at least). */
function typedPatchProblems(message: string): readonly string[] {
  const [, text = ''] = /^failed to create typed patch object \(.*?\): (.*)$/s.exec(message) ?? [];
  return text
    .replace(/^errors:/, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function ofServer(what: string, code: number, status: ApiStatus): AppError {
  const problems = code === 500 ? typedPatchProblems(status.message) : [];
  if (problems.length > 0) {
    return invalidBecause(what, problems.slice(0, QUOTED_CAUSES_MAX).map(shorten).join('; '));
  }
  // etcd's own bound on a request, which the API server passes on as an internal error.
  if (/request is too large|too large: must have at most/i.test(status.message)) return tooLarge(what);
  const said = status.message === '' ? '' : ` (${shorten(status.message)})`;
  return new AppError('ERR_STORE_UNAVAILABLE', `${what}: the API server answered ${code}${said}`, {
    retryable: true,
    fix: 'Look into the log of the API server if it stays so; it is tried again.',
  });
}

function notFound(what: string, { kind, key, verb }: Attempt, status: ApiStatus): AppError {
  // A resource that is not served is answered in plain text.
  if (!status.isStatus) {
    return new AppError('ERR_NOT_FOUND', `${what}: the API server does not serve ${resourceName(kind)}`, {
      retryable: true,
      fix: 'Install the CRDs (kubectl apply -k crds).',
      details: { missing: 'kind' satisfies Missing },
    });
  }
  if (verb === 'apply' || status.kind === 'namespaces') {
    return missing(what, 'namespace', `there is no namespace ${key.namespace}`);
  }
  return missing(what, 'object', 'there is no such object');
}

function missing(what: string, which: Missing, message: string): AppError {
  const fix =
    which === 'object'
      ? 'Create it first; a status belongs to an object.'
      : 'Create the namespace if it is meant to be there; nothing is written into it until then.';
  return new AppError('ERR_NOT_FOUND', `${what}: ${message}`, { fix, details: { missing: which } });
}

function forbidden(what: string, { kind, verb }: Attempt, { message }: ApiStatus): AppError {
  const rule = ruleFor(kind, verb);
  const said = message === '' ? `may not ${verb}` : shorten(message);
  return new AppError('ERR_FORBIDDEN', `${what}: ${said}`, {
    fix: `Add to our role: ${rule}. If it has that, an admission policy refuses it: the message names it.`,
  });
}

/** Server-side apply needs `create` too for what is not there yet. */
export function ruleFor(kind: KindName, verb: Attempt['verb']): string {
  switch (verb) {
    case 'apply':
      return missingRule(kind, ['create', 'patch']);
    case 'apply-status':
      return missingRule(kind, ['patch'], 'status');
    case 'delete':
    case 'get':
      return missingRule(kind, [verb]);
    case 'list':
    case 'watch':
      return missingRule(kind, ['list', 'watch']);
  }
}

function conflict(what: string, { causes, message }: ApiStatus): AppError {
  const owned = causes.filter(({ reason }) => reason === 'FieldManagerConflict');
  if (owned.length === 0) return /modified|uid/i.test(message) ? notTheSame(what) : clashing(what, message);
  const named = owned
    .slice(0, NAMED_CONFLICTS_MAX)
    .map(({ field, message: owner }) => `${shorten(field)} (${shorten(owner)})`);
  const more = owned.length > named.length ? ` and ${owned.length - named.length} more` : '';
  return new AppError('ERR_CONFLICT', `${what}: fields of other managers: ${named.join(', ')}${more}`, {
    fix: 'Leave these fields out, let their owner give them up, or apply with force.',
  });
}

function clashing(what: string, message: string): AppError {
  return new AppError('ERR_CONFLICT', `${what}: ${shorten(message)}`, { fix: 'Read it again and decide anew.' });
}

function notTheSame(what: string): AppError {
  return new AppError('ERR_CONFLICT', `${what}: it is not the object that was read before`, {
    fix: 'Read it again and decide anew.',
  });
}

/** A uid in what is applied is a precondition; that of another object is answered as an immutable field. */
function isIdentityConflict({ causes }: ApiStatus): boolean {
  return causes.length > 0 && causes.every(({ field }) => field === 'metadata.uid');
}

function invalid(what: string, { causes, message }: ApiStatus): AppError {
  const named = causes
    .slice(0, QUOTED_CAUSES_MAX)
    .map(({ field, message: said }) => (field === '' ? shorten(said) : `${field}: ${shorten(said)}`));
  return invalidBecause(what, named.length === 0 ? shorten(message) : named.join('; '));
}

function invalidBecause(what: string, why: string): AppError {
  return new AppError('ERR_INVALID_OBJECT', `${what}: ${why}`, { fix: 'Correct the field that is named.' });
}

function tooLarge(what: string): AppError {
  return new AppError('ERR_BOUND_EXCEEDED', `${what}: larger than the API server takes`, { fix: 'Split it.' });
}

function shorten(text: string): string {
  return text.length <= QUOTED_CAUSE_CHARS_MAX ? text : `${text.slice(0, QUOTED_CAUSE_CHARS_MAX)}...`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
