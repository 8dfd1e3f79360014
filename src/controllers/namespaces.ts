/** Namespaces that are going take everything with them: what cannot be written there any more needs not be (IMP-06). */
import { AppError } from '../api/errors.ts';
import type { ObjectKey } from '../api/object.ts';
import { isTerminating } from '../catalogue/read.ts';
import type { CachesOf } from '../store/caches.ts';

export interface FailedWrite {
  readonly error: unknown;
  readonly key: ObjectKey;
  /** Without namespaces, standalone, nothing is lost with one. */
  readonly caches: Partial<CachesOf<'Namespace'>>;
}

/** Whether a write failed because its namespace is not there or on its way out, as the store says or the cache shows. */
export function isLostWithNamespace({ error, key, caches: { Namespace } }: FailedWrite): boolean {
  if (Namespace === undefined) return false;
  if (error instanceof AppError && error.code === 'ERR_NOT_FOUND' && error.details['missing'] === 'namespace')
    return true;
  const namespace = Namespace.get({ namespace: '', name: key.namespace });
  return namespace === undefined || isTerminating(namespace);
}
