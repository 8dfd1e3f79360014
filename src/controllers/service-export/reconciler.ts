/** Keeps the status of each ServiceExport: whether it can be offered, and what imports find wrong with it. */
import { dateConditions } from '../../api/conditions.ts';
import type { IServiceExport } from '../../api/generated/ServiceExport.ts';
import { formatKey, keyOf, parseKey, type ObjectKey } from '../../api/object.ts';
import { buildCatalogue } from '../../catalogue/build.ts';
import { terminatingNamespaces } from '../../catalogue/read.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Config } from '../../runtime/config.ts';
import type { Caches, CachesOf } from '../../store/caches.ts';
import type { Store } from '../../store/store.ts';
import { CONTROLLER_MANAGER, timestamp, type Controller } from '../controller.ts';
import { makeConflictIndex } from './conflicts.ts';
import { makeTeller, type ToldEvent } from '../teller.ts';
import { desiredExportConditions, findTale } from './desired.ts';
import { recordFirstPort } from './first-port.ts';

export interface ServiceExportControllerOptions {
  readonly self: string;
  readonly store: Store;
  /** Namespaces in Kubernetes only. */
  readonly caches: Caches & Partial<CachesOf<'Namespace'>>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Namespaces that wildcards do not reach, but that the administrator lists (DESIGN §5). */
  readonly allowedNamespaces: readonly string[];
  /** Whether ClusterLink peers may ask for exports by their name alone: then the port that they get is noted. */
  readonly clusterlinkCompat: Config['clusterlinkCompat'];
  /** Called once when an export becomes invalid or conflicts (EXP-14), and again when the reason changes; not for what its status says already. */
  onEvent?(event: ToldEvent<IServiceExport>): void;
}

export function makeServiceExportController(options: ServiceExportControllerOptions): Controller {
  const { self, store, caches, clock, allowedNamespaces, clusterlinkCompat, onEvent } = options;
  const teller = makeTeller<IServiceExport>(onEvent);
  const conflicts = makeConflictIndex({ self, caches });

  async function reconcile(text: string): Promise<void> {
    const key = parseKey(text);
    const serviceExport = caches.ServiceExport.get(key);
    if (serviceExport === undefined) return teller.forget(text);
    const service = caches.Service.get(key);
    const { verdicts } = buildCatalogue({
      serviceExports: [serviceExport],
      services: service === undefined ? [] : [service],
      endpointSlices: [],
      allowedNamespaces,
      terminatingNamespaces: terminatingNamespaces(caches.Namespace?.list() ?? []),
    });
    // Withdrawn: there is nothing to say of it any more.
    const [verdict] = verdicts;
    if (verdict === undefined) return;
    const drafts = desiredExportConditions({
      generation: serviceExport.metadata?.generation ?? 1,
      verdict,
      conflicts: conflicts.of(key),
    });
    const conditions = dateConditions(drafts, serviceExport.status?.conditions, timestamp(clock));
    await store.applyStatus(
      { apiVersion: serviceExport.apiVersion, kind: 'ServiceExport', metadata: { ...key }, status: { conditions } },
      { fieldManager: CONTROLLER_MANAGER, force: true },
    );
    // After the status is written: who reads the event finds the condition.
    const said = findTale(serviceExport.status?.conditions ?? []);
    teller.tell(text, { regarding: serviceExport, tale: findTale(drafts), said });
    if (verdict.valid && service !== undefined && clusterlinkCompat !== 'off') {
      await recordFirstPort({ store, serviceExport, service });
    }
  }

  return {
    name: 'service-export',
    reconcile,
    watches: (enqueue) => {
      const enqueueKey = (key: ObjectKey): void => enqueue(formatKey(key));
      const enqueueNames = (names: readonly string[]): void => names.forEach((name) => enqueue(name));
      conflicts.readAll();
      return [
        caches.ServiceExport.onChange(enqueueKey),
        caches.Service.onChange(enqueueKey),
        caches.ImportBinding.onChange((key) => enqueueNames(conflicts.readBinding(key))),
        caches.PeerRecords.onChange((key) => enqueueNames(conflicts.readRecords(key))),
      ];
    },
    resync(enqueue) {
      conflicts.readAll();
      caches.ServiceExport.list().forEach((object) => enqueue(formatKey(keyOf(object))));
    },
  };
}
