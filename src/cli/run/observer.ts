/** Turns what the data plane and the controllers report into metrics and log lines. */
import { REASONS } from '../../api/reasons.ts';
import type { ReconcileResult } from '../../controllers/controller.ts';
import type { ControlEvents } from '../../gateway/control.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Metrics } from '../../runtime/metrics.ts';

export interface Observer extends Pick<ControlEvents, 'onPeer' | 'onOpened' | 'onClosed' | 'onRefused'> {
  onReconcile(result: ReconcileResult): void;
}

/** Ends that nobody here has to look into. */
const ORDINARY: ReadonlySet<string> = new Set([REASONS.Done, REASONS.Aborted]);

export function makeObserver({ metrics, logger }: { readonly metrics: Metrics; readonly logger: Logger }): Observer {
  const reachable = new Map<string, boolean>();
  return {
    onPeer({ name, sessions, version, reason, message }) {
      metrics.sessions.set({ peer: name }, sessions);
      const isReachable = version !== undefined;
      const before = reachable.get(name);
      if (before === isReachable) return;
      reachable.set(name, isReachable);
      if (isReachable) logger.info({ peer: name, version }, 'Peer became reachable');
      else if (before === undefined) logger.info({ peer: name }, 'Peer is not reachable yet');
      else logger.warn({ peer: name, reason, cause: message }, 'Peer is unreachable');
    },
    onOpened: (direction) => metrics.connectionsOpen.add({ direction }, 1),
    onClosed(record) {
      const { direction, object, peer, reason, sentBytes, receivedBytes, opened } = record;
      metrics.connections.inc({ direction, import_or_export: object, peer, reason });
      if (opened) metrics.connectionsOpen.add({ direction }, -1);
      metrics.bytes.inc({ direction: 'sent' }, sentBytes);
      metrics.bytes.inc({ direction: 'received' }, receivedBytes);
      if (ORDINARY.has(reason)) logger.debug(record, 'Connection ended');
      else logger.info(record, 'Connection was refused or cut');
    },
    onRefused(reason, from) {
      metrics.handshakesRefused.inc({ reason });
      logger.warn({ reason, from }, 'Peer connection was refused');
    },
    onReconcile({ controller, ok, durationMs }) {
      metrics.reconciles.inc({ controller, result: ok ? 'ok' : 'error' });
      metrics.reconcileSeconds.observe({ controller }, durationMs / 1000);
    },
  };
}
