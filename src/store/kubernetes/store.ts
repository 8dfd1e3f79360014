/**
 * The store over an API server.
 *
 * Reads of one object and lists ask the server; `watch` keeps a kind current here. Writes are server-side apply, one after the
 * other for each object, and none is sent that the newest known object shows to be without effect.
 */
import { AppError } from '../../api/errors.ts';
import { KIND_NAMES, KINDS, type KindMap, type KindName } from '../../api/kinds.ts';
import type { Applied } from '../../api/applied.ts';
import { formatKey, type KubeObject, type ObjectKey } from '../../api/object.ts';
import { systemClock, type Clock } from '../../runtime/clock.ts';
import { checkKey, identify } from '../checks.ts';
import { makeGate } from '../directory/gate.ts';
import { toJsonMap } from '../json.ts';
import { MANAGER_NAME_CHARS_MAX, OBJECT_BYTES_MAX } from '../limits.ts';
import { makeSerialQueue } from '../serial.ts';
import type { ApplyOptions, Store } from '../store.ts';
import { mainConfiguration, statusConfiguration } from '../stored-object.ts';
import type { ApiAnswer, ApiRequest, ApiTransport } from './transport.ts';
import { makeApplier } from './applier.ts';
import { makeDiscovery } from './discovery.ts';
import { makeFeed, type Feed } from './feed.ts';
import { REQUEST_TIMEOUT_MS, REQUESTS_IN_FLIGHT_MAX, WRITES_WAITING_MAX } from './limits.ts';
import { AnswerError, listAll } from './lister.ts';
import type { KubernetesLogger } from './logger.ts';
import { collectionPath, objectPath } from './paths.ts';
import { receive } from './received.ts';
import { makeSnapshots, type SnapshotOptions } from './snapshots.ts';
import { toAppError, type Attempt } from './status.ts';
import type { StoreEvent, StoreProblem, WriteVerb } from './store-event.ts';

export interface KubernetesStoreOptions {
  /** The way to the API server; whoever made it closes it. */
  readonly access: ApiTransport;
  readonly logger: KubernetesLogger;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Kinds that are listed and watched in one namespace alone: a role may have rights on no other. */
  readonly namespaces?: Partial<Record<KindName, string>>;
  /** Label selectors of kinds that are listed and watched in part: what nobody here reads is not sent to us. */
  readonly selectors?: Partial<Record<KindName, string>>;
  readonly onEvent?: (event: StoreEvent) => void;
  /**
   * Kinds whose last state is kept in a folder. When the API server does not answer at the start, watchers of these are told
   * the saved state first (`synced`), and the present one later. For those who serve on stale state, never for those who
   * decide by absence.
   */
  readonly snapshots?: SnapshotOptions;
}

export interface KubernetesStore extends Store {
  /** What keeps watched kinds from being current now. */
  problems(): readonly StoreProblem[];
  /** Which version of a kind is used; undefined when none is served, or nobody asked yet. */
  servedVersion(kind: KindName): string | undefined;
}

export function openKubernetesStore(options: KubernetesStoreOptions): KubernetesStore {
  const { logger, clock = systemClock, random = Math.random, onEvent = () => undefined } = options;
  const { namespaces = {}, selectors = {} } = options;
  const closing = new AbortController();
  const transport = endingWith(options.access, closing.signal);
  const discovery = makeDiscovery({ transport, clock });
  const writes = makeSerialQueue({ pendingMax: Number.POSITIVE_INFINITY });
  const applier = makeApplier({ discovery, clock, logger });
  const snapshots = options.snapshots === undefined ? undefined : makeSnapshots(options.snapshots, { clock, logger });
  const gate = makeGate(REQUESTS_IN_FLIGHT_MAX);
  let waiting = 0;

  const feeds = new Map<KindName, Feed>(
    KIND_NAMES.map((kind) => [
      kind,
      makeFeed({
        ...{ kind, namespace: namespaces[kind], selector: selectors[kind] },
        ...{ transport, discovery, clock, random, logger, onEvent, snapshots },
      }),
    ]),
  );
  const feedOf = (kind: KindName): Feed => feeds.get(kind) as Feed;

  function checkOpen(what: string): void {
    if (closing.signal.aborted) throw new AppError('ERR_STORE_CLOSED', `${what}: the store is closed`);
  }

  async function versionOf(attempt: Attempt): Promise<string> {
    const version = await discovery.versionOf(attempt.kind);
    if (version === undefined) throw toAppError(attempt, { status: 404, body: undefined });
    return version;
  }

  /** Asks again once when the version that was believed in is not served any more. */
  async function ask(attempt: Attempt, toRequest: (version: string) => ApiRequest): Promise<ApiAnswer> {
    const version = await versionOf(attempt);
    const answer = await gate.run(() => transport.request(toRequest(version)));
    const isUnserved = answer.status === 404 && KINDS[attempt.kind].served.length > 1 && answer.body === undefined;
    if (!isUnserved) return answer;
    discovery.doubt(attempt.kind);
    const other = await versionOf(attempt);
    return gate.run(() => transport.request(toRequest(other)));
  }

  /** One write of an object after the other, bounded, counted. */
  async function write<T>(
    task: WriteTask,
    run: () => Promise<{ readonly value: T; readonly isSent: boolean }>,
  ): Promise<T> {
    const { kind, key, verb } = task;
    const id = `${kind} ${formatKey(key)}`;
    checkOpen(id);
    if (waiting >= WRITES_WAITING_MAX) throw tooManyWaiting(id, waiting);
    waiting += 1;
    try {
      const { value, isSent } = await writes.run(id, () => (checkOpen(id), run()));
      onEvent({ type: 'write', kind, verb, result: isSent ? 'sent' : 'skipped' });
      return value;
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'ERR_INTERNAL';
      onEvent({ type: 'write', kind, verb, result: code });
      throw error;
    } finally {
      waiting -= 1;
    }
  }

  async function applyPart(
    object: KubeObject & { status?: unknown },
    part: Part,
    given: ApplyOptions,
  ): Promise<KubeObject> {
    const { kind, key } = identify(object);
    checkManager(given.fieldManager);
    const desired = part.verb === 'apply' ? mainConfiguration(object) : statusConfiguration(object);
    checkSize(kind, key, desired);
    const { uid, resourceVersion } = object.metadata ?? {};
    return write({ kind, key, verb: part.verb }, async () => {
      const { value, isSent } = await applier.apply(
        { kind, key, verb: part.verb, desired, uid, resourceVersion, ...given },
        { known: feedOf(kind).known(), ask },
      );
      return { value, isSent };
    });
  }

  const store: KubernetesStore = {
    async get<K extends KindName>(kind: K, key: ObjectKey) {
      checkOpen(kind);
      checkKey(kind, key);
      const attempt: Attempt = { kind, key, verb: 'get' };
      const answer = await ask(attempt, (version) => ({
        method: 'GET',
        path: objectPath(kind, version, key),
        timeoutMs: REQUEST_TIMEOUT_MS,
      }));
      if (answer.status === 404 && answer.body !== undefined) return undefined;
      if (answer.status !== 200) throw toAppError(attempt, answer);
      return receive(kind, answer.body)?.object as KindMap[K] | undefined;
    },
    async list<K extends KindName>(kind: K) {
      checkOpen(kind);
      const namespace = namespaces[kind];
      const attempt: Attempt = { kind, key: { namespace: '', name: '' }, verb: 'list' };
      const version = await versionOf(attempt);
      const path = collectionPath({ kind, version, ...(namespace === undefined ? {} : { namespace }) });
      const { objects } = await listAll({ transport, kind, path, selector: selectors[kind] }).catch(
        (error: unknown) => {
          throw error instanceof AnswerError ? toAppError(attempt, error) : error;
        },
      );
      return Object.freeze(objects.map(({ object }) => object as KindMap[K]));
    },
    watch(kind, observer) {
      checkOpen(kind);
      return feedOf(kind).add(observer);
    },
    async apply<K extends KindName>(object: Applied<K>, given: ApplyOptions) {
      return (await applyPart(object, { verb: 'apply' }, given)) as KindMap[K];
    },
    async applyStatus<K extends KindName>(object: Applied<K>, given: ApplyOptions) {
      return (await applyPart(object, { verb: 'apply-status' }, given)) as KindMap[K];
    },
    async delete(kind, key, { uid } = {}) {
      checkKey(kind, key);
      const attempt: Attempt = { kind, key, verb: 'delete' };
      await write({ kind, key, verb: 'delete' }, async () => {
        // Whatever comes of it: what is known may be gone.
        feedOf(kind).known()?.doubt(key);
        const answer = await ask(attempt, (version) => ({
          method: 'DELETE',
          path: objectPath(kind, version, key),
          body: {
            apiVersion: 'v1',
            kind: 'DeleteOptions',
            propagationPolicy: 'Background',
            ...(uid === undefined ? {} : { preconditions: { uid } }),
          },
          timeoutMs: REQUEST_TIMEOUT_MS,
        }));
        const isGone = answer.status === 404 && answer.body !== undefined;
        if (!isGone && (answer.status < 200 || answer.status > 299)) throw toAppError(attempt, answer);
        return { value: undefined, isSent: true };
      });
    },
    problems: () => [...feeds.values()].map((feed) => feed.problem()).filter((problem) => problem !== undefined),
    servedVersion: (kind) => discovery.known(kind),
    async close() {
      closing.abort();
      for (const feed of feeds.values()) feed.close();
      await Promise.all([writes.idle(), snapshots?.close()]);
    },
  };
  return store;
}

interface Part {
  readonly verb: 'apply' | 'apply-status';
}
interface WriteTask {
  readonly kind: KindName;
  readonly key: ObjectKey;
  readonly verb: WriteVerb;
}

/** Every request ends with the store. */
function endingWith(access: ApiTransport, end: AbortSignal): ApiTransport {
  const bind = (request: ApiRequest): ApiRequest => ({
    ...request,
    signal: request.signal === undefined ? end : AbortSignal.any([end, request.signal]),
  });
  const closed = (error: unknown): never => {
    throw end.aborted ? new AppError('ERR_STORE_CLOSED', 'store: closed before the API server answered') : error;
  };
  return {
    request: (request) => access.request(bind(request)).catch(closed),
    stream: (request) => access.stream(bind(request)).catch(closed),
  };
}

function checkManager(fieldManager: string): void {
  if (fieldManager !== '' && fieldManager.length <= MANAGER_NAME_CHARS_MAX) return;
  throw new AppError(
    'ERR_INVALID_OBJECT',
    `field manager ${JSON.stringify(fieldManager.slice(0, MANAGER_NAME_CHARS_MAX))}: 1 to ${MANAGER_NAME_CHARS_MAX} characters`,
    { fix: 'Use the name of the component.' },
  );
}

function checkSize(kind: KindName, key: ObjectKey, desired: ReturnType<typeof toJsonMap>): void {
  if (Buffer.byteLength(JSON.stringify(desired)) <= OBJECT_BYTES_MAX) return;
  throw new AppError('ERR_BOUND_EXCEEDED', `${kind} ${formatKey(key)}: more than ${OBJECT_BYTES_MAX} bytes as JSON`, {
    fix: 'Split it.',
  });
}

function tooManyWaiting(id: string, waiting: number): AppError {
  return new AppError('ERR_BOUND_EXCEEDED', `${id}: ${waiting} writes are waiting for the API server`, {
    retryable: true,
    fix: 'Look whether the API server is slow or refuses us; the write will be tried again.',
  });
}
