/** Keeps the EndpointSlices of each import: which gateways its Services lead to, and what its source clusters offer. */
import { AppError } from '../../api/errors.ts';
import type { IImportBinding } from '../../api/generated/ImportBinding.ts';
import type { IService } from '../../api/generated/Service.ts';
import { gatewayStatusManager, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { formatKey, keyOf, parseKey, type ObjectKey } from '../../api/object.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ReconcileOutcome } from '../../runtime/queue.ts';
import type { CachesOf } from '../../store/caches.ts';
import type { Store } from '../../store/store.ts';
import { CONTROLLER_MANAGER, type Controller, type Enqueue } from '../controller.ts';
import { isNamedByUs } from '../derived-service/desired.ts';
import { bindingKey } from '../import/desired.ts';
import { ENDPOINTS_DELAY_MS, GATEWAY_GONE_MS, PARALLEL_ENDPOINTS_MAX } from '../limits.ts';
import { isLostWithNamespace } from '../namespaces.ts';
import { makeWriter } from '../writer.ts';
import { desiredSlices } from './desired.ts';
import { readyGateways, type Gateway } from './gateways.ts';
import { makeOwnedSlices } from './owned-slices.ts';

export interface EndpointsControllerOptions {
  readonly store: Store;
  readonly caches: CachesOf<'ImportBinding' | 'ServiceImport' | 'EndpointSlice' | 'Service' | 'Pod' | 'Namespace'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

export function makeEndpointsController({ store, caches, clock }: EndpointsControllerOptions): Controller {
  const writer = makeWriter(store, CONTROLLER_MANAGER);
  const slices = makeOwnedSlices(caches);
  /** Names of gateway pods that are not there → when that was seen first. */
  const goneSinceMs = new Map<string, number>();
  let gateways: readonly Gateway[] = observeGateways();

  function observeGateways(): readonly Gateway[] {
    return readyGateways(caches.Pod.list());
  }

  async function reconcile(text: string): Promise<ReconcileOutcome | void> {
    const key = parseKey(text);
    const binding = caches.ImportBinding.get(bindingKey(key));
    const desired =
      binding === undefined
        ? []
        : desiredSlices({
            binding,
            serviceImport: caches.ServiceImport.get(key),
            gateways,
            namedService: namedServiceOf(binding),
          });
    const kept = new Set(desired.map((slice) => formatKey(keyOf(slice))));
    // First what must not be used any more: clients that arrive meanwhile are refused and not lost.
    for (const sliceKey of slices.of(text)) if (!kept.has(formatKey(sliceKey))) await remove(sliceKey);
    // A slice that is refused, since a tenant took its name before, must not hold up the others.
    const failures: unknown[] = [];
    for (const slice of desired) {
      const write = (): Promise<unknown> => writer.apply(slice, caches.EndpointSlice.get(keyOf(slice)));
      await unlessGone(keyOf(slice), write).catch((error: unknown) => failures.push(error));
    }
    const outcome = binding === undefined ? undefined : await forgetGateways(binding);
    if (failures.length > 0) throw failures[0];
    return outcome;
  }

  /** Ours for `service`, and somebody else's for `joinsService`: never the other way round. */
  function namedServiceOf({ spec }: IImportBinding): IService | undefined {
    const service = caches.Service.get(spec.import);
    if (service === undefined) return undefined;
    return (isNamedByUs(service, spec.import) ? spec.service : spec.joinsService) === true ? service : undefined;
  }

  async function remove(key: ObjectKey): Promise<void> {
    const slice = caches.EndpointSlice.get(key);
    if (slice !== undefined) await writer.remove(slice);
  }

  /** In a namespace that is going nothing can be made, and nothing needs to be (IMP-06). */
  async function unlessGone(key: ObjectKey, write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!isLostWithNamespace({ error, key, caches })) throw error;
    }
  }

  /**
   * What a gateway said of the import counts no more when its pod is gone. An empty apply under the name that it wrote with
   * takes it back. Not at once: the word of a new pod may be seen before the pod.
   */
  async function forgetGateways(binding: IImportBinding): Promise<ReconcileOutcome | void> {
    const nowMs = clock.nowMs();
    const names = gatewayNames(binding).filter((name) => !isPodThere(name));
    let requeueAfterMs: number | undefined;
    for (const name of names) {
      const sinceMs = goneSinceMs.get(name) ?? nowMs;
      goneSinceMs.set(name, sinceMs);
      const restMs = sinceMs + GATEWAY_GONE_MS - nowMs;
      if (restMs > 0) requeueAfterMs = Math.min(requeueAfterMs ?? restMs, restMs);
      else await takeBack(binding, name);
    }
    return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
  }

  async function takeBack({ apiVersion, metadata }: IImportBinding, podName: string): Promise<void> {
    const { namespace = '', name = '' } = metadata ?? {};
    const nothing = { apiVersion, kind: 'ImportBinding' as const, metadata: { namespace, name } };
    try {
      await store.applyStatus(nothing, { fieldManager: gatewayStatusManager(podName) });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'ERR_NOT_FOUND') throw error;
    }
  }

  function isPodThere(name: string): boolean {
    return caches.Pod.get({ namespace: SYSTEM_NAMESPACE, name }) !== undefined;
  }

  function enqueueAll(enqueue: Enqueue): void {
    for (const { spec } of caches.ImportBinding.list()) enqueue(formatKey(spec.import), ENDPOINTS_DELAY_MS);
  }

  /** Pods of gateways change in many ways that matter to nobody. */
  function onPod({ namespace, name }: ObjectKey, enqueue: Enqueue): void {
    if (namespace !== SYSTEM_NAMESPACE) return;
    const wasGone = goneSinceMs.delete(name);
    const next = observeGateways();
    const isSame = JSON.stringify(next) === JSON.stringify(gateways);
    gateways = next;
    if (!isSame || wasGone || !isPodThere(name)) enqueueAll(enqueue);
  }

  return {
    name: 'endpoints',
    concurrency: PARALLEL_ENDPOINTS_MAX,
    reconcile,
    watches: (enqueue) => {
      const soon = (key: ObjectKey): void => enqueue(formatKey(key), ENDPOINTS_DELAY_MS);
      return [
        caches.ImportBinding.onChange((key) => {
          const target = importOfBinding(key);
          if (target !== undefined) soon(target);
        }),
        caches.ServiceImport.onChange(soon),
        caches.Service.onChange((key) => {
          const { service, joinsService } = caches.ImportBinding.get(bindingKey(key))?.spec ?? {};
          if (service === true || joinsService === true) soon(key);
        }),
        caches.Pod.onChange((key) => onPod(key, enqueue)),
        slices.follow((owner) => enqueue(owner, ENDPOINTS_DELAY_MS)),
      ];
    },
    resync: (enqueue) => {
      gateways = observeGateways();
      const named = new Set(caches.ImportBinding.list().flatMap(gatewayNames));
      for (const name of goneSinceMs.keys()) if (!named.has(name)) goneSinceMs.delete(name);
      for (const { spec } of caches.ImportBinding.list()) enqueue(formatKey(spec.import));
      // What is left of imports that went while nobody looked (IMP-09).
      for (const owner of slices.owners()) enqueue(owner);
    },
  };
}

/** Those that have said something of it. */
function gatewayNames({ status }: IImportBinding): string[] {
  return (status?.gateways ?? []).map(({ name }) => name);
}

/** The inverse of `bindingName`: both parts are labels, so there is one dot. */
function importOfBinding({ namespace, name }: ObjectKey): ObjectKey | undefined {
  const [first = '', second = '', ...rest] = name.split('.');
  if (namespace !== SYSTEM_NAMESPACE || first === '' || second === '' || rest.length > 0) return undefined;
  return { namespace: second, name: first };
}
