/** Keeps the status of each ServiceExport: whether it can be offered, and what imports find wrong with it. */
import { dateConditions, type ConditionDraft } from '../../api/conditions.ts';
import type { IServiceExport } from '../../api/generated/ServiceExport.ts';
import { formatKey, keyOf, parseKey, type ObjectKey } from '../../api/object.ts';
import { buildCatalogue } from '../../catalogue/build.ts';
import { terminatingNamespaces } from '../../catalogue/read.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Caches, CachesOf } from '../../store/caches.ts';
import type { Store } from '../../store/store.ts';
import { CONTROLLER_MANAGER, timestamp, type Controller } from '../controller.ts';
import { makeConflictIndex } from './conflicts.ts';
import { desiredExportConditions, findTale, type ExportTale } from './desired.ts';

/** What is told of an export once it is invalid or conflicts: for Kubernetes' events (EXP-14). */
export interface ExportEvent extends ExportTale {
  readonly regarding: IServiceExport;
  readonly type: 'Warning';
}

export interface ServiceExportControllerOptions {
  readonly self: string;
  readonly store: Store;
  /** Namespaces in Kubernetes only. */
  readonly caches: Caches & Partial<CachesOf<'Namespace'>>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Namespaces that wildcards do not reach, but that the administrator lists (DESIGN §5). */
  readonly allowedNamespaces: readonly string[];
  /** Called once when an export becomes invalid or conflicts, and again when the reason changes; not for what its status says already. */
  onEvent?(event: ExportEvent): void;
}

export function makeServiceExportController(options: ServiceExportControllerOptions): Controller {
  const { self, store, caches, clock, allowedNamespaces, onEvent } = options;
  /** By `namespace/name`: what was told last. The cache shows the status that was written a moment later. */
  const told = new Map<string, string>();
  const conflicts = makeConflictIndex({ self, caches });

  async function reconcile(text: string): Promise<void> {
    const key = parseKey(text);
    const serviceExport = caches.ServiceExport.get(key);
    if (serviceExport === undefined) return void told.delete(text);
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
    tell(text, serviceExport, drafts);
  }

  /** After the status is written: who reads the event finds the condition. */
  function tell(text: string, regarding: IServiceExport, drafts: readonly ConditionDraft[]): void {
    const tale = findTale(drafts);
    if (tale === undefined) return void told.delete(text);
    const said = findTale(regarding.status?.conditions ?? []);
    const before = told.get(text) ?? (said === undefined ? undefined : idOf(said));
    told.set(text, idOf(tale));
    if (before !== idOf(tale)) onEvent?.({ regarding, type: 'Warning', ...tale });
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

function idOf({ reason, note }: ExportTale): string {
  return `${reason} ${note}`;
}
