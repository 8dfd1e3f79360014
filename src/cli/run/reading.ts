/** What the admin socket reads of a peer's objects: standalone they are all here, a part in a cluster asks for what it does not watch. */
import { AppError } from '../../api/errors.ts';
import { formatKey, keyOf } from '../../api/object.ts';
import type { KindMap, KindName } from '../../api/kinds.ts';
import type { ObjectCache } from '../../store/cache.ts';
import type { CommonKind } from '../../store/caches.ts';
import type { Store } from '../../store/store.ts';

export type ReadingsOf<K extends KindName> = { readonly [Kind in K]: Pick<ObjectCache<Kind>, 'get' | 'list'> };

/** @throws {AppError} as a store that is asked, where objects are not here. */
export type Read = <K extends CommonKind>(kinds: readonly K[]) => Promise<ReadingsOf<K>>;

/** A list of a kind: somebody waits for the answer, and has other means to see that the API server is slow. */
const LIST_WAIT_MS = 3_000;

/** Of kinds that are watched whole what is known is told; the others are listed each time. */
export function makeRead<W extends CommonKind>({
  store,
  watched,
}: {
  readonly store: Pick<Store, 'list'>;
  readonly watched: ReadingsOf<W>;
}): Read {
  const known: Partial<Record<KindName, Pick<ObjectCache<KindName>, 'get' | 'list'>>> = watched;
  return async <K extends CommonKind>(kinds: readonly K[]) => {
    const readings = await Promise.all(
      kinds.map(async (kind) => [kind, known[kind] ?? toReading(await listSoon(store, kind))] as const),
    );
    return Object.fromEntries(readings) as unknown as ReadingsOf<K>;
  };
}

async function listSoon<K extends KindName>(store: Pick<Store, 'list'>, kind: K): Promise<readonly KindMap[K][]> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const fix = 'look whether the API server answers; what this gateway watches is told without it';
    reject(new AppError('ERR_TIMEOUT', `${kind}: no list in ${LIST_WAIT_MS} ms`, { retryable: true, fix }));
  }, LIST_WAIT_MS);
  try {
    return await Promise.race([store.list(kind), late]);
  } finally {
    clearTimeout(timer);
  }
}

function toReading<K extends KindName>(objects: readonly KindMap[K][]): Pick<ObjectCache<K>, 'get' | 'list'> {
  const byKey = new Map(objects.map((object) => [formatKey(keyOf(object)), object]));
  return { get: (key) => byKey.get(formatKey(key)), list: () => objects };
}
