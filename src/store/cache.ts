/** What there is of one kind, kept current by a watch: read without waiting by reconcilers, the gateway and DNS. */
import { AppError } from '../api/errors.ts';
import type { KindMap, KindName } from '../api/kinds.ts';
import { compareText, formatKey, keyOf, parseKey, type ObjectKey } from '../api/object.ts';
import { deepFreeze } from './json.ts';
import type { Store } from './store.ts';
import { callSafely } from './watchers.ts';

export interface ObjectCache<K extends KindName> {
  readonly kind: K;
  get(key: ObjectKey): KindMap[K] | undefined;
  /** By namespace and name; the same array until something changes. */
  list(): readonly KindMap[K][];
  /** False until the store has said once what there is: until then absence means nothing. */
  readonly hasSynced: boolean;
  /** Resolves when {@link hasSynced} becomes true. */
  readonly synced: Promise<void>;
  /** Calls back with each key whose object came, changed or went; the first list counts as changes. The result stops it. */
  onChange(listener: (key: ObjectKey) => void): () => void;
  close(): void;
}

export function makeCache<K extends KindName>(store: Store, kind: K): ObjectCache<K> {
  const listeners = new Set<{ readonly call: (key: ObjectKey) => void }>();
  const { promise: synced, resolve: resolveSynced } = Promise.withResolvers<void>();
  let objects = new Map<string, KindMap[K]>();
  let listed: readonly KindMap[K][] | undefined;
  let hasSynced = false;

  function tell(changedKeys: readonly string[]): void {
    listed = undefined;
    for (const text of changedKeys) {
      const key = parseKey(text);
      for (const { call } of [...listeners]) callSafely(() => call(key));
    }
  }

  const watch = store.watch(kind, {
    synced(present) {
      const before = objects;
      objects = new Map(present.map((object) => [formatKey(keyOf(object)), deepFreeze(object)]));
      hasSynced = true;
      const keys = [...new Set([...before.keys(), ...objects.keys()])];
      tell(keys.filter((key) => !isSameVersion(before.get(key), objects.get(key))));
      resolveSynced();
    },
    changed(object) {
      const key = formatKey(keyOf(object));
      if (isSameVersion(objects.get(key), object)) return;
      objects.set(key, deepFreeze(object));
      tell([key]);
    },
    deleted(object) {
      const key = formatKey(keyOf(object));
      if (objects.delete(key)) tell([key]);
    },
  });

  return {
    kind,
    get: (key) => objects.get(formatKey(key)),
    list: () =>
      (listed ??= Object.freeze([...objects].sort(([a], [b]) => compareText(a, b)).map(([, object]) => object))),
    get hasSynced() {
      return hasSynced;
    },
    synced,
    onChange(listener) {
      const entry = { call: listener };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    close() {
      watch.close();
      listeners.clear();
    },
  };
}

/**
 * Waits until every cache has synced.
 *
 * @throws {AppError} `ERR_TIMEOUT`, naming the kinds that are missing; the signal's reason when it is aborted.
 */
export async function whenSynced(
  caches: readonly ObjectCache<KindName>[],
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  signal?.throwIfAborted();
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const missing = caches.filter(({ hasSynced }) => !hasSynced).map(({ kind }) => kind);
    reject(
      new AppError('ERR_TIMEOUT', `store: no list of ${missing.join(', ')} within ${timeoutMs} ms`, {
        retryable: true,
        fix: 'Look whether the store can be read: its folder, or the API server and the rights on these kinds.',
      }),
    );
  }, timeoutMs);
  const onAbort = (): void => reject(signal?.reason as Error);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([Promise.all(caches.map(({ synced }) => synced)), stopped]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function isSameVersion(a: { metadata?: Version } | undefined, b: { metadata?: Version } | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    a.metadata?.uid === b.metadata?.uid &&
    a.metadata?.resourceVersion === b.metadata?.resourceVersion
  );
}
type Version = { readonly uid?: string; readonly resourceVersion?: string };
