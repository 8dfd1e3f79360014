/**
 * Turns rules and records into imports: bindings for the gateway and DNS, ServiceImports for people, and the status of rules.
 *
 * One key for all: an import depends on every rule and every record, and the merge of 1,000 records takes milliseconds. What
 * did not change is not written, so a change costs the objects it touches.
 *
 *   rules, records ─ merge ─▶ imports ─ home.publish ─▶ addresses ─▶ ServiceImport ─▶ ImportBinding ─▶ conditions
 */
import { hash } from 'node:crypto';
import { dateConditions, type ConditionDraft } from '../../api/conditions.ts';
import { AppError } from '../../api/errors.ts';
import type { IImportBinding } from '../../api/generated/ImportBinding.ts';
import type { IServiceImport } from '../../api/generated/ServiceImport.ts';
import { formatKey, keyOf } from '../../api/object.ts';
import { merge } from '../../merge/merge.ts';
import { isOurImport } from '../../merge/requests.ts';
import type { ConstituentVerdict, MergedImport, RuleStatus, UnmetRequest } from '../../merge/types.ts';
import { systemClock, type Clock } from '../../runtime/clock.ts';
import type { ReconcileOutcome } from '../../runtime/queue.ts';
import { makeRest } from '../../runtime/rest.ts';
import type { Store } from '../../store/store.ts';
import { runConcurrently } from '../concurrently.ts';
import { CONTROLLER_MANAGER, timestamp, type Controller } from '../controller.ts';
import { FIRST_STATUS_DELAY_MS, PARALLEL_WRITES_MAX, RUN_DELAY_MS } from '../limits.ts';
import { isLostWithNamespace } from '../namespaces.ts';
import { makeWriter } from '../writer.ts';
import {
  bindingKey,
  bindingName,
  desiredBinding,
  desiredClusters,
  desiredPortsCondition,
  desiredRequestedImport,
  desiredServiceImport,
  desiredSliceObjects,
} from './desired.ts';
import type { ImportHome, Published } from './home.ts';
import { observeMerge, type ImportCaches } from './observe.ts';
import { desiredImportCondition } from './readiness.ts';
import { withRefused } from './rule-status.ts';
import { watchImports } from './watches.ts';

/** What is told of an object that must not be written: for Kubernetes' events. */
export interface ImportEvent {
  readonly regarding: IServiceImport;
  readonly type: 'Normal' | 'Warning';
  readonly reason: UnmetRequest['reason'];
  readonly note: string;
}

export interface ImportControllerOptions {
  readonly self: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly store: Store;
  readonly caches: ImportCaches;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly home: ImportHome;
  readonly allowedNamespaces: readonly string[];
  readonly firstStatusDelayMs?: number;
  /** Called once for each thing to tell, and again when it changes. */
  onEvent?(event: ImportEvent): void;
}

/** One import with all that its objects are made of. */
interface Planned {
  readonly merged: MergedImport;
  readonly published: Published;
  readonly verdicts: readonly ConstituentVerdict[];
}

/** An import whose objects were found as they should be, and what they were made of. */
interface Settled {
  readonly digest: string;
  readonly serviceImport: IServiceImport | undefined;
  readonly binding: IImportBinding | undefined;
}

const ALL = 'all';
const TOUCHED = 'touched';

export function makeImportController(options: ImportControllerOptions): Controller {
  const { self, store, caches, clock, home, allowedNamespaces, onEvent } = options;
  const { firstStatusDelayMs = FIRST_STATUS_DELAY_MS } = options;
  const writer = makeWriter(store, CONTROLLER_MANAGER);
  const settled = new Map<string, Settled>();
  /** By the ServiceImport's uid: what was told of it. */
  const told = new Map<string, string>();

  /** Imports of which no status was written, since no gateway has looked at them yet → when that was seen first. */
  const waitingSinceMs = new Map<string, number>();
  const rest = makeRest({ minMs: RUN_DELAY_MS });
  /** Of the last run over everything, by import. */
  let plans: ReadonlyMap<string, Planned> = new Map();
  /** Whether all that was planned was brought about. */
  let isDone = false;
  /** Imports of which objects have changed in what is written here, and in nothing that imports are made of. */
  const touched = new Set<string>();

  async function reconcile(key: string, signal: AbortSignal): Promise<ReconcileOutcome | void> {
    const isWhole = key === ALL || !isDone;
    // Whatever fails is found again by looking at everything.
    isDone = false;
    const problems = isWhole ? await reconcileAll(signal) : await reconcileTouched(signal);
    if (problems.length > 0) throw problems.find(isRetryable) ?? problems[0];
    isDone = true;
    return waitingSinceMs.size === 0 ? undefined : { requeueAfterMs: firstStatusDelayMs };
  }

  async function reconcileTouched(signal: AbortSignal): Promise<unknown[]> {
    const planned = [...new Set([...touched, ...waitingSinceMs.keys()])].flatMap((name) => plans.get(name) ?? []);
    touched.clear();
    return runConcurrently(planned, applyImport, { concurrency: PARALLEL_WRITES_MAX, signal });
  }

  async function reconcileAll(signal: AbortSignal): Promise<unknown[]> {
    touched.clear();
    const now = timestamp(clock);
    const result = rest.time(() => merge(observeMerge({ self, caches, allowedNamespaces, now })));
    const { imports, verdicts, ruleStatuses, unmet } = result;
    const { published, refused, failures } = await home.publish(
      imports.filter(({ type }) => type === 'ClusterSetIP'),
      signal,
    );
    const kept = imports.filter(({ key }) => !refused.has(formatKey(key)));
    const planned = plan(kept, published, verdicts);
    plans = new Map(planned.map((each) => [formatKey(each.merged.key), each]));
    const concurrent = { concurrency: PARALLEL_WRITES_MAX, signal };
    // One object that the store refuses must not hold up the others: what a peer says gets into them.
    const problems = [
      ...failures,
      ...(await runConcurrently(planned, applyImport, concurrent)),
      ...(await removeOthers(new Set(kept.map(({ key }) => formatKey(key))), signal)),
    ];
    const refusals = imports.flatMap((merged) => {
      const refusal = refused.get(formatKey(merged.key));
      return refusal === undefined ? [] : [{ merged, ...refusal }];
    });
    const statuses = ruleStatuses.map((status) => withRefused(status, refusals));
    problems.push(...(await runConcurrently(statuses, applyRuleStatus, concurrent)));
    tellUnmet(unmet);
    return problems;
  }

  function plan(
    imports: readonly MergedImport[],
    published: ReadonlyMap<string, Published>,
    verdicts: readonly ConstituentVerdict[],
  ): Planned[] {
    const verdictsByImport = Map.groupBy(verdicts, (verdict) => formatKey(verdict.import));
    return imports.flatMap((merged) => {
      const name = formatKey(merged.key);
      const given = merged.type === 'Headless' ? toUnpublished(merged) : published.get(name);
      return given === undefined ? [] : [{ merged, published: given, verdicts: verdictsByImport.get(name) ?? [] }];
    });
  }

  /** Looks at an import only if what it is made of, or one of its objects, is not as it was when all was well. */
  async function applyImport(planned: Planned): Promise<void> {
    const { key } = planned.merged;
    const name = formatKey(key);
    const digest = digestOf(planned);
    const serviceImport = caches.ServiceImport.get(key);
    const binding = caches.ImportBinding.get(bindingKey(key));
    // Its owner has just deleted it: the change is on its way here, and makes it no request any more.
    if (planned.merged.requested === true && serviceImport === undefined) return;
    const before = settled.get(name);
    if (
      before?.digest === digest &&
      before.serviceImport === serviceImport &&
      before.binding === binding &&
      serviceImport !== undefined &&
      binding !== undefined
    ) {
      return;
    }
    try {
      if (await applyObjects(planned, serviceImport, binding)) settled.set(name, { digest, serviceImport, binding });
    } catch (error) {
      // Its namespace went while this was under way: there is nothing to bring about any more (IMP-06).
      if (isLostWithNamespace({ error, key, caches })) return;
      throw error;
    }
  }

  /** The ServiceImport is written before the binding carries verdicts (CFL-08). False: its first status is written later. */
  async function applyObjects(
    { merged, published, verdicts }: Planned,
    present: IServiceImport | undefined,
    binding: IImportBinding | undefined,
  ): Promise<boolean> {
    const desired =
      merged.requested === true
        ? desiredRequestedImport(merged, published, present?.metadata?.uid ?? '')
        : desiredServiceImport(merged, published);
    const written = await writer.apply(desired, present);
    const { status } = await writer.apply(desiredBinding(merged, published, verdicts), binding);
    const readiness = desiredImportCondition({ merged, published, observed: status });
    if (isTooEarly(formatKey(merged.key), readiness, written)) return false;
    const drafts = [readiness, ...desiredPortsCondition(merged, published), ...(published.conditions ?? [])];
    // Our own spec is output as the status is: which generation was observed says something of a user's object only.
    const generation = merged.requested === true ? { observedGeneration: written.metadata?.generation ?? 1 } : {};
    const conditions = dateConditions(
      drafts.map((draft) => ({ ...draft, ...generation })),
      written.status?.conditions,
      timestamp(clock),
    );
    await writer.applyStatus(
      {
        apiVersion: written.apiVersion,
        kind: 'ServiceImport',
        metadata: { ...merged.key },
        status: {
          clusters: desiredClusters(merged),
          endpointSliceObjects: desiredSliceObjects(merged, published),
          conditions,
        },
      },
      written,
    );
    return true;
  }

  /** A gateway looks at a new import within moments: to say before that nobody has yet would double the writes of its status. */
  function isTooEarly(name: string, { reason }: ConditionDraft, { status }: IServiceImport): boolean {
    const isNew = reason === 'Pending' && status?.conditions === undefined;
    const nowMs = systemClock.nowMs();
    const sinceMs = waitingSinceMs.get(name) ?? nowMs;
    if (!isNew || nowMs - sinceMs >= firstStatusDelayMs) {
      waitingSinceMs.delete(name);
      return false;
    }
    waitingSinceMs.set(name, sinceMs);
    return true;
  }

  async function removeOthers(kept: ReadonlySet<string>, signal: AbortSignal): Promise<unknown[]> {
    for (const name of settled.keys()) if (!kept.has(name)) settled.delete(name);
    for (const name of waitingSinceMs.keys()) if (!kept.has(name)) waitingSinceMs.delete(name);
    const gone = caches.ImportBinding.list().filter(
      ({ metadata, spec }) => !kept.has(formatKey(spec.import)) || metadata?.name !== bindingName(spec.import),
    );
    // A binding that was lost must not leave its ServiceImport behind.
    const orphans = caches.ServiceImport.list().filter(
      (object) => isOurImport(object) && !kept.has(formatKey(keyOf(object))),
    );
    const concurrent = { concurrency: PARALLEL_WRITES_MAX, signal };
    return [
      ...(await runConcurrently(orphans, (object) => writer.remove(object), concurrent)),
      ...(await runConcurrently(gone, removeBinding, concurrent)),
    ];
  }

  async function removeBinding(binding: IImportBinding): Promise<void> {
    const object = caches.ServiceImport.get(binding.spec.import);
    if (object !== undefined && !isOurImport(object)) await release(object);
    await writer.remove(binding);
  }

  /** Takes back what was written into somebody else's ServiceImport, and nothing else. */
  async function release({ apiVersion, metadata }: IServiceImport): Promise<void> {
    const { namespace = '', name = '', uid = '' } = metadata ?? {};
    const nothing = { apiVersion, kind: 'ServiceImport' as const, metadata: { namespace, name, uid } };
    const options = { fieldManager: CONTROLLER_MANAGER };
    try {
      await store.apply(nothing, options);
      await store.applyStatus(nothing, options);
    } catch (error) {
      // It is gone, or another one is there: then nothing of ours is in it. Or our mark was taken off one that we made, and
      // admission keeps us from it: it is somebody else's now, and must not hold up the rest.
      const tolerated = ['ERR_CONFLICT', 'ERR_INVALID_OBJECT', 'ERR_NOT_FOUND'];
      if (!(error instanceof AppError) || !tolerated.includes(error.code)) throw error;
    }
  }

  async function applyRuleStatus(status: RuleStatus): Promise<void> {
    const rule = caches[status.kind].get(status.key);
    if (rule === undefined) return;
    const generation = rule.metadata?.generation ?? 1;
    const drafts = status.conditions.map((draft) => ({ ...draft, observedGeneration: generation }));
    const conditions = dateConditions(drafts, rule.status?.conditions, timestamp(clock));
    const { matched, imported, skipped } = status;
    const metadata = status.key.namespace === '' ? { name: status.key.name } : { ...status.key };
    const body = { metadata, status: { matched, imported: [...imported], skipped: [...skipped], conditions } };
    await writer.applyStatus<RuleStatus['kind']>({ apiVersion: rule.apiVersion, kind: rule.kind, ...body }, rule);
  }

  function tellUnmet(unmet: readonly UnmetRequest[]): void {
    const present = new Set<string>();
    for (const { key, reason, message } of unmet) {
      const regarding = caches.ServiceImport.get(key);
      const uid = regarding?.metadata?.uid;
      if (regarding === undefined || uid === undefined) continue;
      present.add(uid);
      if (told.get(uid) === message) continue;
      told.set(uid, message);
      const isMistake = reason === 'InvalidRequest';
      const type = isMistake ? 'Warning' : 'Normal';
      onEvent?.({ regarding, type, reason, note: message });
    }
    for (const uid of told.keys()) if (!present.has(uid)) told.delete(uid);
  }

  return {
    name: 'import',
    reconcile,
    watches: (enqueue) =>
      watchImports(caches, {
        onChange: () => enqueue(ALL, rest.delayMs()),
        onTouched(key) {
          touched.add(formatKey(key));
          enqueue(TOUCHED, RUN_DELAY_MS);
        },
        isMadeHere(key) {
          const planned = plans.get(formatKey(key));
          return planned !== undefined && planned.merged.requested !== true;
        },
      }),
    resync: (enqueue) => enqueue(ALL),
  };
}

/** A headless import has no address that could be given. */
function toUnpublished({ ipFamilies }: MergedImport): Published {
  return { ips: [], ipFamilies, targetPorts: new Map(), annotations: {} };
}

function digestOf({ merged, published, verdicts }: Planned): string {
  const { targetPorts, ...rest } = published;
  return hash('sha256', JSON.stringify([merged, rest, [...targetPorts], verdicts]), 'base64');
}

function isRetryable(error: unknown): boolean {
  return !(error instanceof AppError) || error.retryable;
}
