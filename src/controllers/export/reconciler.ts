/** Keeps the status of each ClusterLink Export: whether it can be offered. */
import { dateConditions } from '../../api/conditions.ts';
import type { IExport } from '../../api/generated/Export.ts';
import { formatKey, keyOf, parseKey, type ObjectKey } from '../../api/object.ts';
import { backingOf } from '../../catalogue/backing.ts';
import { buildCatalogue } from '../../catalogue/build.ts';
import type { ForeseeTarget } from '../../catalogue/host-targets.ts';
import { terminatingNamespaces } from '../../catalogue/read.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { CachesOf } from '../../store/caches.ts';
import type { Store } from '../../store/store.ts';
import { CONTROLLER_MANAGER, timestamp, type Controller } from '../controller.ts';
import { makeTeller, type ToldEvent } from '../teller.ts';
import { desiredExportValid, findExportTale, hostStanding, type ExportStanding } from './desired.ts';

export interface ExportControllerOptions {
  readonly store: Store;
  /** Namespaces in Kubernetes only. */
  readonly caches: CachesOf<'Export' | 'ServiceExport' | 'Service'> & Partial<CachesOf<'Namespace'>>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Namespaces that wildcards do not reach, but that the administrator lists (DESIGN §5). */
  readonly allowedNamespaces: readonly string[];
  /** Whether gateways may dial a host. */
  readonly foresee: ForeseeTarget;
  /** Called once when an Export becomes invalid, and again when the reason changes; not for what its status says already. */
  onEvent?(event: ToldEvent<IExport>): void;
}

export function makeExportController(options: ExportControllerOptions): Controller {
  const { store, caches, clock, onEvent } = options;
  const teller = makeTeller<IExport>(onEvent);

  async function reconcile(text: string): Promise<void> {
    const key = parseKey(text);
    const object = caches.Export.get(key);
    if (object === undefined) return teller.forget(text);
    const standing = standingOf(object, options);
    // Withdrawn: there is nothing to say of it any more.
    if (standing === undefined) return;
    const drafts = [desiredExportValid(standing, object.metadata?.generation ?? 1)];
    const conditions = dateConditions(drafts, object.status?.conditions, timestamp(clock));
    await store.applyStatus(
      { apiVersion: object.apiVersion, kind: 'Export', metadata: { ...key }, status: { conditions } },
      { fieldManager: CONTROLLER_MANAGER, force: true },
    );
    // After the status is written: who reads the event finds the condition.
    const said = findExportTale(object.status?.conditions ?? []);
    teller.tell(text, { regarding: object, tale: findExportTale(drafts), said });
  }

  return {
    name: 'export',
    reconcile,
    watches: (enqueue) => {
      const enqueueKey = (key: ObjectKey): void => enqueue(formatKey(key));
      return [
        caches.Export.onChange(enqueueKey),
        // It takes the name, or gives it back.
        caches.ServiceExport.onChange(enqueueKey),
        caches.Service.onChange((service) => {
          for (const object of caches.Export.list()) if (isBackedBy(object, service)) enqueueKey(keyOf(object));
        }),
      ];
    },
    resync(enqueue) {
      caches.Export.list().forEach((object) => enqueue(formatKey(keyOf(object))));
    },
  };
}

function isBackedBy(object: IExport, service: ObjectKey): boolean {
  // First, and cheap: Services of other namespaces are most.
  if (object.metadata?.namespace !== service.namespace) return false;
  const backing = backingOf(object);
  return backing.kind === 'service' && backing.service.name === service.name;
}

/** Undefined: it is being deleted, or its namespace is. */
function standingOf(object: IExport, options: ExportControllerOptions): ExportStanding | undefined {
  const { caches, allowedNamespaces, foresee } = options;
  const backing = backingOf(object);
  const serviceExport = caches.ServiceExport.get(keyOf(object));
  const service = backing.kind === 'service' ? caches.Service.get(backing.service) : undefined;
  const { verdicts } = buildCatalogue({
    serviceExports: serviceExport === undefined ? [] : [serviceExport],
    exports: [object],
    services: service === undefined ? [] : [service],
    endpointSlices: [],
    allowedNamespaces,
    terminatingNamespaces: terminatingNamespaces(caches.Namespace?.list() ?? []),
  });
  const verdict = verdicts.find(({ kind }) => kind === 'Export');
  if (backing.kind === 'service' || verdict?.valid !== true) return verdict;
  const target = { namespace: keyOf(object).namespace, host: backing.host, port: object.spec?.port ?? 0 };
  return hostStanding(foresee(target), target) ?? verdict;
}
