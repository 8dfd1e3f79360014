/**
 * The home of imports in Kubernetes: the clusterset IP of each is the ClusterIP of a derived Service in the system namespace.
 *
 * A gateway terminates every connection, so any family of this cluster works whatever family the backends have:
 * `IPFamilyNotSupported` cannot happen here. `ips` and `ipFamilies` are what the API server gave the derived Service.
 */
import type { ConditionDraft } from '../../api/conditions.ts';
import { AppError } from '../../api/errors.ts';
import type { IService } from '../../api/generated/Service.ts';
import { ANNOTATIONS, IMPORT_MERGE_LABEL } from '../../api/names.ts';
import { compareText, formatKey, keyOf, type ObjectKey } from '../../api/object.ts';
import type { MergedImport } from '../../merge/types.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { CachesOf } from '../../store/caches.ts';
import type { Store } from '../../store/store.ts';
import { runConcurrently } from '../concurrently.ts';
import { CONTROLLER_MANAGER, timestamp } from '../controller.ts';
import { bindingKey } from '../import/desired.ts';
import type { ImportHome, Published, Refusal } from '../import/home.ts';
import { DERIVED_SERVICE_KEPT_MS, DERIVED_SERVICES_KEPT_MAX, PARALLEL_WRITES_MAX } from '../limits.ts';
import { ADDRESS_RELEASE_MS, RECREATE_INTERVAL_MS } from '../limits.ts';
import { makeWriter } from '../writer.ts';
import {
  addressesOf,
  DERIVED_SERVICE_ANNOTATION,
  derivedFor,
  derivedServiceKey,
  desiredDerivedService,
  desiredNamedService,
  desiredRetiredService,
  importKeyOf,
  isNamedByUs,
  isBeyondRepair,
  type DerivedServiceInput,
} from './desired.ts';
import { makePortMemory, type GivenPorts } from './port-memory.ts';

export interface DerivedServicesOptions {
  readonly store: Store;
  readonly caches: CachesOf<'Service' | 'ImportBinding'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** An import that may have its derived Service. */
interface Accepted extends GivenPorts {
  readonly merged: MergedImport;
  /** Of its derived Service. */
  readonly serviceKey: ObjectKey;
}

interface Settled {
  readonly wish: string;
  readonly cached: IService;
}

/** The Services that this product made for imports, by `namespace/name` of the import. */
interface Observed {
  readonly derived: ReadonlyMap<string, IService>;
  readonly named: ReadonlyMap<string, IService>;
}

/** What the API server answers to a write that it will never take. */
const REFUSED: ReadonlySet<string> = new Set(['ERR_CONFLICT', 'ERR_INVALID_OBJECT']);

export function makeDerivedServices({ store, caches, clock }: DerivedServicesOptions): ImportHome {
  const writer = makeWriter(store, CONTROLLER_MANAGER);
  const portMemory = makePortMemory();
  /** Hashes of names that were compared before; objects of caches never change. */
  const owners = new WeakMap<IService, ObjectKey>();
  /** By name of the Service: what it was last found to be, and made of; most of thousands are so in every run. */
  const settled = new Map<string, Settled>();
  /** By uid of a derived Service: the time of retirement that was written, since the cache shows it later. */
  const retired = new Map<string, string>();
  /** By name of the Service: when it was made anew last. */
  const replacedMs = new Map<string, number>();
  /** By name of the Service: since when it is refused the addresses that it had. */
  const withheldMs = new Map<string, number>();

  async function publish(imports: readonly MergedImport[], signal: AbortSignal) {
    const observed = observe();
    const { accepted, refused } = accept(imports, observed);
    const published = new Map<string, Published>();
    const failures: unknown[] = [];
    const runAll = async <T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> => {
      failures.push(...(await runConcurrently(items, task, { concurrency: PARALLEL_WRITES_MAX, signal })));
    };
    await runAll(accepted, async (item) => {
      const service = await applyDerived(item);
      published.set(formatKey(item.merged.key), toPublished(item, service));
    });
    const named = accepted.filter(({ merged }) => merged.service === true);
    await runAll(named, async (item) => {
      const conditions = await applyNamed(item);
      const given = published.get(formatKey(item.merged.key));
      if (given !== undefined) published.set(formatKey(item.merged.key), { ...given, conditions });
    });
    const withoutOwner = (services: ReadonlyMap<string, IService>, owners: readonly Accepted[]): IService[] => {
      const kept = new Set(owners.map(({ merged }) => formatKey(merged.key)));
      return [...services].filter(([name]) => !kept.has(name)).map(([, service]) => service);
    };
    await runAll(withoutOwner(observed.named, named), (service) => writer.remove(service));
    await runAll(planRetirement(withoutOwner(observed.derived, accepted)), (retire) => retire());
    for (const { merged } of accepted) {
      const name = formatKey(merged.key);
      const given = published.get(name);
      const conditions = merged.joinsService === true ? describeJoined(merged) : [];
      if (given !== undefined && conditions.length > 0) published.set(name, { ...given, conditions });
    }
    forgetOthers(accepted);
    return { published, refused, failures };
  }

  function forgetOthers(accepted: readonly Accepted[]): void {
    const names = new Set(accepted.map(({ serviceKey }) => serviceKey.name));
    for (const name of settled.keys()) if (!names.has(name)) settled.delete(name);
  }

  function observe(): Observed {
    const derived = new Map<string, IService>();
    const named = new Map<string, IService>();
    for (const service of caches.Service.list()) {
      const owner = ownerOf(service);
      if (owner !== undefined) {
        derived.set(formatKey(owner), service);
        continue;
      }
      const key = importKeyOf(service);
      if (key !== undefined && formatKey(keyOf(service)) === formatKey(key)) named.set(formatKey(key), service);
    }
    return { derived, named };
  }

  function ownerOf(service: IService): ObjectKey | undefined {
    const known = owners.get(service);
    if (known !== undefined) return known;
    const owner = derivedFor(service);
    if (owner !== undefined) owners.set(service, owner);
    return owner;
  }

  /** Of two imports whose derived Services would have one name, the one that has it keeps it, or the first. */
  function accept(imports: readonly MergedImport[], { derived }: Observed) {
    const refused = new Map<string, Refusal>();
    const nowMs = clock.nowMs();
    const given = portMemory.assign({
      imports,
      bindings: caches.ImportBinding.list(),
      services: derived,
      nowMs,
      now: timestamp(clock),
    });
    const names = new Set<string>();
    const accepted = imports.flatMap((merged): Accepted[] => {
      const name = formatKey(merged.key);
      const own = derived.get(name);
      const serviceKey = own === undefined ? derivedServiceKey(merged.key) : keyOf(own);
      const { ports = new Map<string, number>(), restingPorts } = given.get(name) ?? {};
      const isTaken = own === undefined && caches.Service.get(serviceKey) !== undefined;
      if (isTaken || names.has(serviceKey.name)) {
        refused.set(name, {
          reason: 'NameTaken',
          message: `Service ${formatKey(serviceKey)} is not this import's.`,
        });
        return [];
      }
      if (ports.size === 0) {
        const message = 'Gateways have no port left on which to listen for it. Fix: import less.';
        refused.set(name, { reason: 'NoTargetPort', message });
        return [];
      }
      names.add(serviceKey.name);
      return [{ merged, serviceKey, ports, restingPorts }];
    });
    return { accepted, refused };
  }

  async function applyDerived({ merged, serviceKey, ports, restingPorts }: Accepted): Promise<IService> {
    const input = { key: merged.key, ports: merged.ports, targetPorts: ports, restingPorts, askedIps: [] };
    const cached = caches.Service.get(serviceKey);
    const wish = JSON.stringify([merged.ports, [...ports.values()], restingPorts]);
    const before = settled.get(serviceKey.name);
    if (cached !== undefined && before?.cached === cached && before.wish === wish) return cached;
    const written = await applyAddressed(input, { serviceKey, cached });
    const isSettled =
      cached !== undefined && written === cached && !isBeyondRepair(written, desiredDerivedService(input));
    if (isSettled) settled.set(serviceKey.name, { wish, cached });
    return written;
  }

  async function applyAddressed(
    input: DerivedServiceInput,
    { serviceKey, cached }: { readonly serviceKey: ObjectKey; readonly cached: IService | undefined },
  ): Promise<IService> {
    const earlierIps = earlierAddresses(input.key, serviceKey);
    // An import that had an address and has no Service lost it by somebody's hand, or the cache is behind.
    const present = cached ?? (earlierIps.length > 0 ? await store.get('Service', serviceKey) : undefined);
    if (present === undefined && earlierIps.length > 0) return recreate({ ...input, askedIps: earlierIps });
    const desired = desiredDerivedService(input);
    const written = await writer.apply(desired, present);
    if (!isBeyondRepair(written, desired) || !mayReplace(serviceKey.name)) return written;
    await writer.remove(written);
    return recreate({ ...input, askedIps: addressesOf(written)?.ips ?? earlierIps });
  }

  /** As the binding has them; if that was lost too, as this process last saw them. */
  function earlierAddresses(key: ObjectKey, serviceKey: ObjectKey): readonly string[] {
    const seen = settled.get(serviceKey.name);
    return (
      caches.ImportBinding.get(bindingKey(key))?.spec.ips ??
      (seen === undefined ? undefined : addressesOf(seen.cached)?.ips) ??
      []
    );
  }

  /** With the addresses that clients know (IMP-07), or, where somebody else has them now, with others. */
  async function recreate(input: DerivedServiceInput): Promise<IService> {
    const desired = desiredDerivedService(input);
    const { name = '' } = desired.metadata;
    try {
      // Past the writer, which would not ask again for a while.
      const made = await store.apply(desired, { fieldManager: CONTROLLER_MANAGER, force: true });
      withheldMs.delete(name);
      return made;
    } catch (error) {
      if (!(error instanceof AppError) || !REFUSED.has(error.code)) throw error;
      if (isBeingReleased(name, input.askedIps)) throw stillTaken(input, error);
      withheldMs.delete(name);
      return writer.apply(desiredDerivedService({ ...input, askedIps: [] }), undefined);
    }
  }

  /** The API server tells of a Service that is gone before its addresses are free again. */
  function isBeingReleased(name: string, ips: readonly string[]): boolean {
    const isHeld = caches.Service.list().some((service) => addressesOf(service)?.ips.some((ip) => ips.includes(ip)));
    const nowMs = clock.nowMs();
    for (const [other, ms] of withheldMs) if (nowMs - ms >= 2 * ADDRESS_RELEASE_MS) withheldMs.delete(other);
    const sinceMs = withheldMs.get(name) ?? nowMs;
    withheldMs.set(name, sinceMs);
    return !isHeld && nowMs - sinceMs < ADDRESS_RELEASE_MS;
  }

  /** Whoever keeps changing it must not make this a race. */
  function mayReplace(name: string): boolean {
    const nowMs = clock.nowMs();
    for (const [other, ms] of replacedMs) if (nowMs - ms >= RECREATE_INTERVAL_MS) replacedMs.delete(other);
    if (replacedMs.has(name)) return false;
    replacedMs.set(name, nowMs);
    return true;
  }

  /** Its endpoints go with a Service that somebody else makes; one that we made before is on its way out. */
  function describeJoined({ key }: MergedImport): ConditionDraft[] {
    const service = caches.Service.get(key);
    if (service !== undefined && !isNamedByUs(service, key)) return [];
    const message = `There is no Service ${formatKey(key)} to add endpoints to. Fix: make it, or take the label ${IMPORT_MERGE_LABEL} off.`;
    return [{ type: 'ServicePublished', status: 'False', reason: 'ServiceNotFound', message }];
  }

  /** One of somebody else's is never touched. */
  async function applyNamed({ merged, ports }: Accepted): Promise<ConditionDraft[]> {
    const present = caches.Service.get(merged.key) ?? (await store.get('Service', merged.key));
    if (present !== undefined && !isNamedByUs(present, merged.key)) {
      const message = `There is a Service ${formatKey(merged.key)} that is not ours. Fix: rename one of the two.`;
      return [{ type: 'ServicePublished', status: 'False', reason: 'NameTaken', message }];
    }
    const desired = desiredNamedService({ key: merged.key, ports: merged.ports, targetPorts: ports });
    try {
      // Not by force where none was seen: what somebody made in between stays theirs.
      if (present === undefined) await store.apply(desired, { fieldManager: CONTROLLER_MANAGER });
      else await writer.apply(desired, present);
      return [];
    } catch (error) {
      // A tenant may have given the Service a selector or external addresses: admission lets us write no such Service.
      if (!(error instanceof AppError) || !REFUSED.has(error.code)) throw error;
      return [{ type: 'ServicePublished', status: 'False', reason: 'Refused', message: error.message }];
    }
  }

  /** Marks what has just become unused, and removes what was so for long, or is too much: the oldest first. */
  function planRetirement(unused: readonly IService[]): (() => Promise<void>)[] {
    const nowMs = clock.nowMs();
    const retiring = unused.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
    const uids = new Set(retiring.map(({ metadata }) => metadata?.uid ?? ''));
    for (const uid of retired.keys()) if (!uids.has(uid)) retired.delete(uid);
    const dated = retiring.map((service) => {
      const { annotations, uid = '' } = service.metadata ?? {};
      const said = annotations?.[ANNOTATIONS.unusedSince] ?? '';
      const isMarked = !Number.isNaN(Date.parse(said));
      const since = isMarked ? said : (retired.get(uid) ?? timestamp(clock));
      return { service, uid, since, isMarked };
    });
    dated.sort((a, b) => compareText(b.since, a.since));
    return dated.flatMap(({ service, uid, since, isMarked }, index) => {
      const isOver = nowMs - Date.parse(since) >= DERIVED_SERVICE_KEPT_MS;
      if (isOver || index >= DERIVED_SERVICES_KEPT_MAX) return [() => writer.remove(service)];
      if (isMarked) return [];
      return [
        async () => {
          await writer.apply(desiredRetiredService(service, since), service);
          retired.set(uid, since);
        },
      ];
    });
  }

  return { publish };
}

/** @throws {AppError} `ERR_STORE_UNAVAILABLE`: an import without an address must not be shown (IMP-22). */
function toPublished({ serviceKey, ports }: Accepted, service: IService): Published {
  const addresses = addressesOf(service);
  if (addresses === undefined) {
    throw new AppError('ERR_STORE_UNAVAILABLE', `Service ${formatKey(serviceKey)}: the API server gave it no address`, {
      retryable: true,
      fix: 'Look whether the range of cluster addresses is used up.',
    });
  }
  return {
    ...addresses,
    targetPorts: ports,
    annotations: { [DERIVED_SERVICE_ANNOTATION]: serviceKey.name },
  };
}

function stillTaken({ key, askedIps }: DerivedServiceInput, cause: AppError): AppError {
  const message = `Service of import ${formatKey(key)}: ${askedIps.join(', ')} is not free yet: ${cause.message}`;
  return new AppError('ERR_CONFLICT', message, { retryable: true });
}
