/**
 * Turns rules and records into imports: bindings for the gateway and DNS, ServiceImports for people, and the status of rules.
 *
 * One key for all: an import depends on every rule and every record, and the merge of 1,000 records takes milliseconds. What
 * did not change is not written, so a change costs the objects it touches.
 */
import { isDeepStrictEqual } from 'node:util';
import { dateConditions } from '../../api/conditions.ts';
import { AppError } from '../../api/errors.ts';
import type { IImportBinding } from '../../api/generated/ImportBinding.ts';
import type { IServiceImport } from '../../api/generated/ServiceImport.ts';
import { LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { formatKey, keyOf, type ObjectKey } from '../../api/object.ts';
import { formatSource } from '../../api/record.ts';
import { CATALOGUE_KINDS, readCatalogue } from '../../catalogue/read.ts';
import { SKIPPED_LISTED_MAX } from '../../merge/limits.ts';
import { merge } from '../../merge/merge.ts';
import type { ConstituentVerdict, MergedImport, MergePeer, MergeRecord, RuleStatus } from '../../merge/types.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Caches } from '../../store/caches.ts';
import type { Store } from '../../store/store.ts';
import { CONTROLLER_MANAGER, timestamp, type Controller } from '../controller.ts';
import { assignAddresses } from './addresses.ts';
import {
  bindingName,
  desiredBinding,
  desiredClusters,
  desiredImportCondition,
  desiredServiceImport,
} from './desired.ts';

/** Where addresses come from: a pool of this peer (standalone). */
export interface AddressBook {
  readonly pool: string;
  load(): Promise<Readonly<Record<string, string>>>;
  save(remembered: Readonly<Record<string, string>>): Promise<void>;
}

export interface ImportControllerOptions {
  readonly self: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly store: Store;
  readonly caches: Caches;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly addresses: AddressBook;
  readonly allowedNamespaces: readonly string[];
}

const ALL = 'all';
const OPTIONS = { fieldManager: CONTROLLER_MANAGER, force: true } as const;
/** Self's own exports are as old as they say: the time of no Peer object caps them. */
const SELF_CREATED_AT = '1970-01-01T00:00:00Z';

export function makeImportController(options: ImportControllerOptions): Controller {
  const { self, store, caches, clock, addresses, allowedNamespaces } = options;

  async function reconcile(): Promise<void> {
    const { imports, verdicts, ruleStatuses } = merge({
      self: self.name,
      peers: observePeers(),
      rules: [...caches.ClusterImportRule.list(), ...caches.ImportRule.list()],
      records: observeRecords(),
      previous: caches.ImportBinding.list(),
    });
    const [free, taken] = splitByOwner(imports);
    const ipsByImport = await assign(free);
    const verdictsByImport = Map.groupBy(verdicts, (verdict) => formatKey(verdict.import));
    // One object that the store refuses must not hold up the others: what a peer says gets into them.
    const failures: unknown[] = [];
    const attempt = (write: Promise<void>): Promise<unknown> => write.catch((error: unknown) => failures.push(error));
    for (const merged of free) {
      const object = formatKey(merged.key);
      await attempt(applyImport(merged, ipsByImport.get(object) ?? [], verdictsByImport.get(object) ?? []));
    }
    await attempt(removeOthers(new Set(free.map(({ key }) => formatKey(key)))));
    for (const status of ruleStatuses) await attempt(applyRuleStatus(withTaken(status, taken)));
    if (failures.length > 0) throw failures.find(isRetryable) ?? failures[0];
  }

  function observePeers(): MergePeer[] {
    const peers = caches.Peer.list().map(({ metadata }) => ({
      name: metadata?.name ?? '',
      labels: metadata?.labels ?? {},
      createdAt: metadata?.creationTimestamp ?? timestamp(clock),
    }));
    return [...peers, { ...self, createdAt: SELF_CREATED_AT }];
  }

  function observeRecords(): MergeRecord[] {
    const { entries } = readCatalogue(caches, allowedNamespaces);
    const own = entries.map(({ record }) => ({ peer: self.name, record }));
    // What a peer said counts while a local Peer object says that it is one (DESIGN §3.1).
    const known = new Set(caches.Peer.list().map(({ metadata }) => metadata?.name ?? ''));
    const said = caches.PeerRecords.list()
      .filter(({ spec }) => known.has(spec.peer) && spec.peer !== self.name)
      .flatMap(({ spec }) => spec.records.map(({ record }) => ({ peer: spec.peer, record })));
    return [...own, ...said];
  }

  /** A ServiceImport that somebody else made keeps its name: it is neither changed nor hidden (IMP-08). */
  function splitByOwner(imports: readonly MergedImport[]): [free: MergedImport[], taken: MergedImport[]] {
    const foreign = new Set(
      caches.ServiceImport.list()
        .filter((object) => !isOurs(object))
        .map((object) => formatKey(keyOf(object))),
    );
    const isTaken = ({ key }: MergedImport): boolean => foreign.has(formatKey(key));
    return [imports.filter((merged) => !isTaken(merged)), imports.filter(isTaken)];
  }

  async function assign(imports: readonly MergedImport[]): Promise<Map<string, string[]>> {
    const wanted = imports.filter(({ type }) => type === 'ClusterSetIP').map(({ key }) => formatKey(key));
    const before = await addresses.load();
    const { remembered } = assignAddresses({ pool: addresses.pool, remembered: before, wanted });
    // Remembered before it is used: after a crash the address must not go to another import.
    if (!isDeepStrictEqual(before, remembered)) await addresses.save(remembered);
    return new Map(wanted.flatMap((key) => (remembered[key] === undefined ? [] : [[key, [remembered[key]]]])));
  }

  /** The ServiceImport is written before the binding carries verdicts (CFL-08). */
  async function applyImport(
    merged: MergedImport,
    ips: readonly string[],
    verdicts: readonly ConstituentVerdict[],
  ): Promise<void> {
    const written = await store.apply(desiredServiceImport(merged, ips), OPTIONS);
    const binding = await store.apply(desiredBinding(merged, ips, verdicts), OPTIONS);
    const draft = desiredImportCondition({ merged, ips, observed: binding.status });
    const conditions = dateConditions(
      [{ ...draft, observedGeneration: written.metadata?.generation ?? 1 }],
      written.status?.conditions,
      timestamp(clock),
    );
    await store.applyStatus(
      {
        apiVersion: written.apiVersion,
        kind: 'ServiceImport',
        metadata: { ...merged.key },
        status: { clusters: desiredClusters(merged), conditions },
      },
      OPTIONS,
    );
  }

  async function removeOthers(kept: ReadonlySet<string>): Promise<void> {
    const names = new Set([...kept].map((text) => bindingName(toKey(text))));
    for (const binding of caches.ImportBinding.list()) {
      const key = binding.spec.import;
      if (names.has(binding.metadata?.name ?? '')) continue;
      await removeServiceImport(caches.ServiceImport.get(key));
      await store.delete(
        'ImportBinding',
        { namespace: SYSTEM_NAMESPACE, name: binding.metadata?.name ?? '' },
        uidOf(binding),
      );
    }
    // A binding that was lost must not leave its ServiceImport behind.
    for (const object of caches.ServiceImport.list()) {
      if (!kept.has(formatKey(keyOf(object)))) await removeServiceImport(object);
    }
  }

  async function removeServiceImport(object: IServiceImport | undefined): Promise<void> {
    if (object !== undefined && isOurs(object)) await store.delete('ServiceImport', keyOf(object), uidOf(object));
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
    await store.applyStatus<RuleStatus['kind']>({ apiVersion: rule.apiVersion, kind: rule.kind, ...body }, OPTIONS);
  }

  return {
    name: 'import',
    reconcile,
    watches: (enqueue) =>
      (
        [
          'ClusterImportRule',
          'ImportRule',
          'Peer',
          'PeerRecords',
          ...CATALOGUE_KINDS,
          'ImportBinding',
          'ServiceImport',
        ] as const
      ).map((kind) => caches[kind].onChange(() => enqueue(ALL))),
    resync: (enqueue) => enqueue(ALL),
  };
}

function isOurs(object: IServiceImport): boolean {
  return object.metadata?.labels?.[LABELS.managedBy] === MANAGED_BY;
}

function isRetryable(error: unknown): boolean {
  return !(error instanceof AppError) || error.retryable;
}

function uidOf(object: IServiceImport | IImportBinding): { uid?: string } {
  return object.metadata?.uid === undefined ? {} : { uid: object.metadata.uid };
}

function toKey(text: string): ObjectKey {
  const [namespace = '', name = ''] = text.split('/');
  return { namespace, name };
}

/** What the rule would have imported under names that somebody else's ServiceImports have. */
function withTaken(status: RuleStatus, taken: readonly MergedImport[]): RuleStatus {
  const lost = taken.filter(
    ({ owner }) => owner.kind === status.kind && isDeepStrictEqual(ownerKey(owner), status.key),
  );
  if (lost.length === 0) return status;
  const names = new Set(lost.map(({ key }) => formatKey(key)));
  const skipped = lost.flatMap(({ key, sources }) =>
    sources.map((source) => ({
      source: formatSource(source),
      reason: 'NameTaken',
      message: `A ServiceImport ${formatKey(key)} that is not ours is there.`,
    })),
  );
  return {
    ...status,
    imported: status.imported.filter(({ as }) => !names.has(as)),
    skipped: [...status.skipped, ...skipped].slice(0, SKIPPED_LISTED_MAX),
  };
}

function ownerKey({ namespace = '', name }: MergedImport['owner']): ObjectKey {
  return { namespace, name };
}
