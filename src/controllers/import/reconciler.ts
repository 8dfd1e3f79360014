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
import type { IImport } from '../../api/generated/Import.ts';
import type { IImportBinding } from '../../api/generated/ImportBinding.ts';
import type { IServiceImport } from '../../api/generated/ServiceImport.ts';
import { formatKey } from '../../api/object.ts';
import type { ForeseeTarget } from '../../catalogue/host-targets.ts';
import { isWritten } from '../../merge/imports.ts';
import { merge } from '../../merge/merge.ts';
import type { ConstituentVerdict, ImportStatus, MergedImport, MergeResult, RuleStatus } from '../../merge/types.ts';
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
  desiredBinding,
  desiredClusters,
  desiredPortsCondition,
  desiredRequestedImport,
  desiredServiceImport,
  desiredSliceObjects,
} from './desired.ts';
import { eventsOf, makeImportTeller, type ImportEvent } from './events.ts';
import type { ImportHome, Published } from './home.ts';
import { desiredMadeConditions } from './import-conditions.ts';
import { makeLeftovers } from './leftovers.ts';
import { observeMerge, type ImportCaches } from './observe.ts';
import { desiredImportCondition } from './readiness.ts';
import { withRefused } from './rule-status.ts';
import { watchImports } from './watches.ts';
import { makeWrittenStatus } from './written-status.ts';

export interface ImportControllerOptions {
  readonly self: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly store: Store;
  readonly caches: ImportCaches;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly home: ImportHome;
  readonly allowedNamespaces: readonly string[];
  /** Whether gateways may dial the host of an Export of ours; absent, as in a cluster: they know it, and count it as away. */
  readonly foresee?: ForeseeTarget;
  readonly firstStatusDelayMs?: number;
  /** Called once for each thing to tell, and again when it changes. */
  onEvent?(event: ImportEvent): void;
}

/** One import with all that its objects are made of. */
interface Planned {
  readonly merged: MergedImport;
  readonly published: Published;
  readonly verdicts: readonly ConstituentVerdict[];
  /** That it is an Import, and what is said of it: no ServiceImport goes with it. */
  readonly written?: ImportStatus;
}

/** What people see of an import, and what carries its conditions. */
type Face = IServiceImport | IImport;

/** An import whose objects were found as they should be, and what they were made of. */
interface Settled {
  readonly digest: string;
  readonly face: Face | undefined;
  readonly binding: IImportBinding | undefined;
}

const ALL = 'all';
const TOUCHED = 'touched';

export function makeImportController(options: ImportControllerOptions): Controller {
  const { self, store, caches, clock, home, allowedNamespaces, foresee, onEvent } = options;
  const { firstStatusDelayMs = FIRST_STATUS_DELAY_MS } = options;
  const writer = makeWriter(store, CONTROLLER_MANAGER);
  const writtenStatus = makeWrittenStatus({ caches, writer, clock });
  const leftovers = makeLeftovers({ store, caches, writer });
  const settled = new Map<string, Settled>();
  const teller = makeImportTeller((event) => onEvent?.(event));

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
    const result = rest.time(() => merge(observeMerge({ self, caches, allowedNamespaces, foresee, now })));
    const { imports, verdicts, ruleStatuses, unmet, importStatuses } = result;
    const { published, refused, failures } = await home.publish(
      imports.filter(({ type }) => type === 'ClusterSetIP'),
      signal,
    );
    const kept = imports.filter(({ key }) => !refused.has(formatKey(key)));
    forgetOthers(kept);
    const planned = plan(kept, published, { verdicts, importStatuses });
    plans = new Map(planned.map((each) => [formatKey(each.merged.key), each]));
    const concurrent = { concurrency: PARALLEL_WRITES_MAX, signal };
    // One object that the store refuses must not hold up the others: what a peer says gets into them.
    const problems = [
      ...failures,
      ...(await runConcurrently(planned, applyImport, concurrent)),
      ...(await leftovers.remove(kept, signal)),
    ];
    const refusals = imports.flatMap((merged) => {
      const refusal = refused.get(formatKey(merged.key));
      return refusal === undefined ? [] : [{ merged, ...refusal }];
    });
    const statuses = ruleStatuses.map((status) => withRefused(status, refusals));
    problems.push(...(await runConcurrently(statuses, applyRuleStatus, concurrent)));
    const unmade = importStatuses.flatMap((written) => {
      const refusal = written.refusal ?? refused.get(formatKey(written.key));
      return refusal === undefined ? [] : [{ ...written, refusal }];
    });
    problems.push(...(await runConcurrently(unmade, writtenStatus.applyRefused, concurrent)));
    teller.tell(eventsOf({ unmet, importStatuses }, caches));
    return problems;
  }

  function forgetOthers(imports: readonly MergedImport[]): void {
    const kept = new Set(imports.map(({ key }) => formatKey(key)));
    for (const name of settled.keys()) if (!kept.has(name)) settled.delete(name);
    for (const name of waitingSinceMs.keys()) if (!kept.has(name)) waitingSinceMs.delete(name);
  }

  function plan(
    imports: readonly MergedImport[],
    published: ReadonlyMap<string, Published>,
    { verdicts, importStatuses }: Pick<MergeResult, 'verdicts' | 'importStatuses'>,
  ): Planned[] {
    const writtenByName = new Map(importStatuses.map((written) => [formatKey(written.key), written]));
    const verdictsByImport = Map.groupBy(verdicts, (verdict) => formatKey(verdict.import));
    return imports.flatMap((merged) => {
      const name = formatKey(merged.key);
      const given = merged.type === 'Headless' ? toUnpublished(merged) : published.get(name);
      if (given === undefined) return [];
      const written = isWritten(merged) ? writtenByName.get(name) : undefined;
      const about = { verdicts: verdictsByImport.get(name) ?? [], ...(written === undefined ? {} : { written }) };
      return [{ merged, published: given, ...about }];
    });
  }

  /** Looks at an import only if what it is made of, or one of its objects, is not as it was when all was well. */
  async function applyImport(planned: Planned): Promise<void> {
    const { key } = planned.merged;
    const name = formatKey(key);
    const digest = digestOf(planned);
    const face: Face | undefined = (planned.written === undefined ? caches.ServiceImport : caches.Import).get(key);
    const binding = caches.ImportBinding.get(bindingKey(key));
    // Its owner has just deleted it: the change is on its way here, and makes it no request any more.
    const isOwners = planned.merged.requested === true || planned.written !== undefined;
    if (isOwners && face === undefined) return;
    const before = settled.get(name);
    if (
      before?.digest === digest &&
      before.face === face &&
      before.binding === binding &&
      face !== undefined &&
      binding !== undefined
    ) {
      return;
    }
    try {
      const isDone =
        face?.kind === 'Import'
          ? await applyWritten(planned, face, binding)
          : await applyObjects(planned, face, binding);
      if (isDone) settled.set(name, { digest, face, binding });
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

  /** ClusterLink's way: the user's Import carries the conditions, and no ServiceImport is made. */
  async function applyWritten(
    { merged, published, verdicts, written }: Planned,
    object: IImport,
    binding: IImportBinding | undefined,
  ): Promise<boolean> {
    const { status } = await writer.apply(desiredBinding(merged, published, verdicts), binding);
    const ready = desiredImportCondition({ merged, published, observed: status });
    if (isTooEarly(formatKey(merged.key), ready, object)) return false;
    const readiness = [ready, ...desiredPortsCondition(merged, published)];
    const drafts = written === undefined ? readiness : desiredMadeConditions({ written, published, readiness });
    await writtenStatus.applyConditions(object, drafts);
    return true;
  }

  /** A gateway looks at a new import within moments: to say before that nobody has yet would double the writes of its status. */
  function isTooEarly(name: string, { reason }: ConditionDraft, { status }: Face): boolean {
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
          return planned !== undefined && planned.merged.requested !== true && planned.written === undefined;
        },
      }),
    resync: (enqueue) => enqueue(ALL),
  };
}

/** A headless import has no address that could be given. */
function toUnpublished({ ipFamilies }: MergedImport): Published {
  return { ips: [], ipFamilies, targetPorts: new Map(), annotations: {} };
}

function digestOf({ merged, published, verdicts, written }: Planned): string {
  const { targetPorts, ...rest } = published;
  return hash('sha256', JSON.stringify([merged, rest, [...targetPorts], verdicts, written]), 'base64');
}

function isRetryable(error: unknown): boolean {
  return !(error instanceof AppError) || error.retryable;
}
