/** One kind for all who watch it here: one reflector while somebody does, one copy of every object, one order of events. */
import { AppError } from '../../api/errors.ts';
import { KINDS, type KindName } from '../../api/kinds.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Watch } from '../store.ts';
import { callSafely, type AnyObserver } from '../watchers.ts';
import type { ApiTransport } from './transport.ts';
import type { Discovery } from './discovery.ts';
import { makeKnownObjects, type KnownObjects } from './known-objects.ts';
import { DISCOVERY_LIFE_MS, SNAPSHOT_PATIENCE_MS } from './limits.ts';
import { AnswerError } from './lister.ts';
import type { KubernetesLogger } from './logger.ts';
import { collectionPath, resourceName } from './paths.ts';
import { startReflector, type FailureReport, type Reflector, type ReflectorSink } from './reflector.ts';
import type { Snapshots } from './snapshots.ts';
import { ruleFor, toAppError } from './status.ts';
import type { StoreEvent, StoreProblem } from './store-event.ts';

export interface Feed {
  add(observer: AnyObserver): Watch;
  /** Undefined while nobody watches. */
  known(): KnownObjects | undefined;
  problem(): StoreProblem | undefined;
  close(): void;
}

export interface FeedOptions {
  readonly kind: KindName;
  /** Only this namespace; default all. */
  readonly namespace: string | undefined;
  /** Only objects with such labels; default all. */
  readonly selector: string | undefined;
  readonly transport: ApiTransport;
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: KubernetesLogger;
  readonly onEvent: (event: StoreEvent) => void;
  readonly snapshots: Snapshots | undefined;
}

interface Running {
  readonly known: KnownObjects;
  /** Whether there is something to tell: a list, or a saved state in its place. */
  isReady: boolean;
  stop: () => void;
}

export function makeFeed(options: FeedOptions): Feed {
  const { kind, logger } = options;
  /** Who watches; the reflector runs while there is somebody. */
  const watching = new Set<AnyObserver>();
  /** Those of them who have had their first call. */
  const observers = new Set<AnyObserver>();
  let running: Running | undefined;
  let problem: StoreProblem | undefined;

  function tell(call: (observer: AnyObserver) => void): void {
    for (const observer of [...observers]) if (observers.has(observer)) callSafely(() => call(observer));
  }

  function note(failure: FailureReport | undefined): void {
    const next = failure === undefined ? undefined : describeFailure(kind, failure);
    if (failure?.reason === 'not-served') options.discovery.doubt(kind);
    if (next?.reason === problem?.reason) return;
    // Once for each reason, not for each try.
    if (next !== undefined) logger.warn({ ...next }, 'Kind of the API server cannot be read');
    else logger.info({ kind }, 'Kind of the API server can be read again');
    problem = next;
  }

  function save(known: KnownObjects): void {
    options.snapshots?.changed(kind, () => known.list());
  }

  function start(): Running {
    const known = makeKnownObjects(kind);
    const self: Running = { known, isReady: false, stop: () => undefined };
    const sink: ReflectorSink = {
      replaced(objects) {
        const recreated = known.replaced(objects);
        for (const object of recreated) tell((observer) => observer.deleted(object));
        self.isReady = true;
        const all = known.list();
        tell((observer) => observer.synced(all));
        save(known);
      },
      changed(received) {
        const { object, recreated } = known.changed(received);
        if (recreated !== undefined) tell((observer) => observer.deleted(recreated));
        tell((observer) => observer.changed(object));
        save(known);
      },
      deleted(received) {
        const object = known.deleted(received);
        if (object !== undefined) tell((observer) => observer.deleted(object));
        save(known);
      },
      failed: note,
    };
    const stopReflector = reflect(options, sink);
    const cancelRestore = options.clock.after(SNAPSHOT_PATIENCE_MS, () => void restore(self));
    return Object.assign(self, {
      stop() {
        cancelRestore();
        stopReflector();
      },
    });
  }

  /** The API server has not given a list in time: what was saved is better than nothing (gateways, DNS). */
  async function restore(self: Running): Promise<void> {
    if (self.isReady) return;
    const saved = await options.snapshots?.load(kind);
    if (saved === undefined || self.isReady || running !== self) return;
    self.isReady = true;
    self.known.restored(saved);
    const all = self.known.list();
    tell((observer) => observer.synced(all));
  }

  function remove(observer: AnyObserver): void {
    observers.delete(observer);
    if (!watching.delete(observer) || watching.size > 0) return;
    running?.stop();
    [running, problem] = [undefined, undefined];
  }

  return {
    add(given) {
      // An own object, so that one observer may watch twice.
      const observer: AnyObserver = {
        synced: (objects) => given.synced(objects),
        changed: (object) => given.changed(object),
        deleted: (object) => given.deleted(object),
      };
      watching.add(observer);
      running ??= start();
      const current = running;
      // Later, so that the caller has its Watch before the first call. Changes until then are in the list.
      queueMicrotask(() => {
        if (!watching.has(observer)) return;
        observers.add(observer);
        if (current.isReady) callSafely(() => observer.synced(current.known.list()));
      });
      return { close: () => remove(observer) };
    },
    known: () => running?.known,
    problem: () => problem,
    close() {
      watching.clear();
      observers.clear();
      running?.stop();
      running = undefined;
    },
  };
}

/** A reflector that follows the served version: a better one is used soon after it appears. */
function reflect({ kind, namespace, discovery, clock, ...rest }: FeedOptions, sink: ReflectorSink): () => void {
  let version: string | undefined;
  let cancel = (): void => undefined;
  const reflector: Reflector = startReflector({
    kind,
    ...rest,
    clock,
    sink,
    async resolve() {
      version = await discovery.versionOf(kind);
      return version === undefined
        ? undefined
        : collectionPath({ kind, version, ...(namespace === undefined ? {} : { namespace }) });
    },
  });

  async function look(): Promise<void> {
    const before = version;
    const now = await discovery.versionOf(kind).catch(() => before);
    // A version that is gone ends its watch by itself.
    if (before !== undefined && now !== undefined && now !== before && version === before) reflector.restart();
  }
  function schedule(): void {
    cancel = clock.after(DISCOVERY_LIFE_MS, () => {
      schedule();
      void look();
    });
  }
  if (KINDS[kind].served.length > 1) schedule();
  return () => {
    cancel();
    reflector.close();
  };
}

function describeFailure(kind: KindName, { reason, verb, error }: FailureReport): StoreProblem {
  const asError = toError(kind, { reason, verb, error });
  return {
    kind,
    reason,
    message: asError.message,
    fix: asError.fix ?? `It is tried again; our role needs: ${ruleFor(kind, verb)}.`,
  };
}

function toError(kind: KindName, { reason, verb, error }: FailureReport): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof AnswerError) return toAppError({ kind, key: { namespace: '', name: '' }, verb }, error);
  if (reason === 'not-served')
    return toAppError({ kind, key: { namespace: '', name: '' }, verb }, { status: 404, body: {} });
  return new AppError('ERR_STORE_UNAVAILABLE', `${resourceName(kind)}: the ${verb} ended: ${reason}`, {
    retryable: true,
    fix: 'It is tried again; look into the log of the API server if it stays so.',
  });
}
