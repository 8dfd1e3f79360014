/**
 * Tells the owner of an export or an import, by an event on that object, that connections were refused for a reason that somebody
 * here can mend. The peer that was refused chooses how often it tries: one event for each object, peer and reason in a while.
 */
import { formatError } from '../../../api/errors.ts';
import type { IImportBinding } from '../../../api/generated/ImportBinding.ts';
import { parseKey, type KubeObject } from '../../../api/object.ts';
import { REASONS, type Reason } from '../../../api/reasons.ts';
import { bindingKey } from '../../../controllers/import/desired.ts';
import type { ClosingRecord } from '../../../gateway/messages.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { Logger } from '../../../runtime/log.ts';
import type { CachesOf } from '../../../store/caches.ts';
import type { EventRecorder } from '../../../store/kubernetes/event-recorder.ts';
import type { Store } from '../../../store/store.ts';
import { REFUSAL_EVENT_INTERVAL_MS, REFUSAL_EVENTS_REMEMBERED_MAX, REFUSAL_LOOKUPS_MAX } from './limits.ts';

export interface RefusalEventsOptions {
  readonly events: Pick<EventRecorder, 'record'>;
  /** What stands for imports is the controller's, and is read when there is something to tell of it. */
  readonly store: Pick<Store, 'get'>;
  readonly caches: CachesOf<'ServiceExport' | 'Export' | 'ImportBinding'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly logger: Logger;
}

export interface RefusalEvents {
  onClosed(record: ClosingRecord): void;
}

type Refused = Pick<ClosingRecord, 'direction' | 'object' | 'peer' | 'reason' | 'message'>;

/** Refusals that a policy, a name or a configuration here has made. Others are troubles of the way, which metrics count. */
const TOLD: ReadonlySet<Reason> = new Set([
  REASONS.IngressDenied,
  REASONS.EgressDenied,
  REASONS.PeerNameMismatch,
  REASONS.TargetForbidden,
  REASONS.ClientUnknown,
]);

export function makeRefusalEvents(options: RefusalEventsOptions): RefusalEvents {
  const { events, store, caches, clock, logger } = options;
  /** By object, peer and reason: when it was told last. The oldest comes first. */
  const toldMs = new Map<string, number>();
  let lookups = 0;

  function isDue({ direction, object, peer, reason }: Refused): boolean {
    const id = `${direction} ${object} ${peer} ${reason}`;
    const beforeMs = toldMs.get(id);
    const nowMs = clock.nowMs();
    if (beforeMs !== undefined && nowMs - beforeMs < REFUSAL_EVENT_INTERVAL_MS) return false;
    toldMs.delete(id);
    toldMs.set(id, nowMs);
    const [oldest] = toldMs.keys();
    if (toldMs.size > REFUSAL_EVENTS_REMEMBERED_MAX && oldest !== undefined) toldMs.delete(oldest);
    return true;
  }

  function tell(regarding: KubeObject, refused: Refused): void {
    const { direction, reason } = refused;
    const action = direction === 'ingress' ? 'AdmitConnection' : 'OpenConnection';
    events.record({ regarding, type: 'Warning', reason: toCamelCase(reason), action, note: toNote(refused) });
  }

  async function tellOfImport(binding: IImportBinding, refused: Refused): Promise<void> {
    const { import: key, owner } = binding.spec;
    const kind = owner.kind === 'Import' ? 'Import' : 'ServiceImport';
    lookups += 1;
    try {
      const regarding = await store.get(kind, key);
      if (regarding !== undefined) tell(regarding, refused);
    } catch (error) {
      // An event is a courtesy: the closing record and the metric are there without it.
      logger.debug({ object: refused.object, error: formatError(error) }, 'Event of a refusal was not written');
    } finally {
      lookups -= 1;
    }
  }

  return {
    onClosed(record) {
      if (record.opened || !TOLD.has(record.reason)) return;
      const key = parseKey(record.object);
      if (record.direction === 'ingress') {
        // A peer may ask for any name: nothing is remembered of one that is not there.
        const regarding = caches.ServiceExport.get(key) ?? caches.Export.get(key);
        if (regarding !== undefined && isDue(record)) tell(regarding, record);
        return;
      }
      const binding = caches.ImportBinding.get(bindingKey(key));
      if (binding === undefined || lookups >= REFUSAL_LOOKUPS_MAX || !isDue(record)) return;
      void tellOfImport(binding, record);
    },
  };
}

/** `INGRESS_DENIED` -> `IngressDenied`: Kubernetes' way to write reasons. */
function toCamelCase(reason: Reason): string {
  return reason
    .split('_')
    .map((word) => `${word.slice(0, 1)}${word.slice(1).toLowerCase()}`)
    .join('');
}

function toNote(refused: Refused): string {
  const { direction, peer, message } = refused;
  const [from, to] = [peer === '' ? '' : ` from peer ${peer}`, peer === '' ? '' : ` to peer ${peer}`];
  const what = `A connection${direction === 'ingress' ? from : to} was refused: ${message}`;
  if (message.includes('Fix:')) return what;
  return `${what}${message.endsWith('.') ? '' : '.'} Fix: ${fixOf(refused)}`;
}

function fixOf({ direction, object, peer, reason }: Refused): string {
  const { namespace } = parseKey(object);
  switch (reason) {
    case REASONS.IngressDenied:
      return direction === 'ingress'
        ? `if it is meant to be, allow it: npx clusterlink-mcs allow --namespace ${namespace} --export ${object} --from-peer ${peer}.`
        : `ask the owner of peer ${peer} to allow it.`;
    case REASONS.EgressDenied:
      return direction === 'egress'
        ? `if it is meant to be, an AccessPolicy in namespace ${namespace} can allow it; npx clusterlink-mcs explain prints the command.`
        : `the owner of peer ${peer} can allow it there.`;
    case REASONS.PeerNameMismatch:
      return 'correct the address in the Peer object, or the certificate there.';
    case REASONS.TargetForbidden:
      return 'name a Service that selects pods, or an administrator adds the endpoint to exports.targets in the configuration.';
    default:
      return 'npx clusterlink-mcs explain tells who the client is; a policy that names no workload admits it as it is.';
  }
}
