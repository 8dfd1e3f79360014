/** Turns what the data plane and the controllers report into metrics and log lines. */
import { REASONS } from '../../api/reasons.ts';
import { formatSource } from '../../api/record.ts';
import type { ReconcileResult } from '../../controllers/controller.ts';
import type { ControlEvents } from '../../gateway/control.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { StoreEvent } from '../../store/kubernetes/store-event.ts';

export type Observer = Pick<ControlEvents, 'onPeer' | 'onOpened' | 'onClosed' | 'onRefused' | 'onEjection'>;

/** Lines about refusals in one window: whoever is refused chooses how often, and must not fill a disk. Metrics count all. */
const REFUSAL_LINES_MAX = 100;
const REFUSAL_WINDOW_MS = 10_000;

/** Requests that were refused before their export was looked up, or because it is not there. */
const UNCHECKED: ReadonlySet<string> = new Set([REASONS.NothingOffered, REASONS.PeerNameMismatch, REASONS.Loop]);

/** Ends that nobody here has to look into. */
const ORDINARY: ReadonlySet<string> = new Set([REASONS.Done, REASONS.Aborted]);

export function makeObserver({ metrics, logger }: { readonly metrics: Metrics; readonly logger: Logger }): Observer {
  const reachable = new Map<string, boolean>();
  const gate = makeLogGate();
  return {
    onPeer({ name, sessions, version, reason, message }) {
      if (reason === REASONS.PeerUnknown) {
        metrics.sessions.remove({ peer: name });
        if (reachable.delete(name)) logger.info({ peer: name }, 'Peer was removed');
        return;
      }
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
      // A peer may ask for any name: only names that are ours become label values.
      const label = direction === 'ingress' && UNCHECKED.has(reason) ? 'unknown' : object;
      metrics.connections.inc({ direction, import_or_export: label, peer, reason });
      if (opened) metrics.connectionsOpen.add({ direction }, -1);
      metrics.bytes.inc({ direction: 'sent' }, sentBytes);
      metrics.bytes.inc({ direction: 'received' }, receivedBytes);
      if (ORDINARY.has(reason) || !gate.opens()) logger.debug(record, 'Connection ended');
      else logger.info({ ...record, unlogged: gate.takeSkipped() }, 'Connection was refused or cut');
    },
    onEjection({ source, ejected }) {
      const name = formatSource(source);
      if (ejected === undefined) return logger.debug({ source: name }, 'Source is used again');
      const { reason, message } = ejected;
      metrics.sourcesEjected.inc({ peer: source.peer, reason });
      if (!gate.opens()) return;
      logger.warn(
        { source: name, reason, cause: message, unlogged: gate.takeSkipped() },
        'Source is tried last for now',
      );
    },
    onRefused(reason, from) {
      metrics.handshakesRefused.inc({ reason });
      if (gate.opens()) logger.warn({ reason, from, unlogged: gate.takeSkipped() }, 'Peer connection was refused');
    },
  };
}

/** Counts what controllers do. */
export function makeReconcileObserver(metrics: Metrics): (result: ReconcileResult) => void {
  return ({ controller, ok, durationMs }) => {
    metrics.reconciles.inc({ controller, result: ok ? 'ok' : 'error' });
    metrics.reconcileSeconds.observe({ controller }, durationMs / 1000);
  };
}

/** Counts what a store asks of its API server. */
export function makeStoreObserver(metrics: Metrics): (event: StoreEvent) => void {
  return (event) => {
    switch (event.type) {
      case 'listed':
        return metrics.storeLists.inc({ kind: event.kind, result: 'ok' });
      case 'list-failed':
        return metrics.storeLists.inc({ kind: event.kind, result: event.reason });
      case 'watching':
        return metrics.storeWatches.inc({ kind: event.kind, result: 'ok' });
      case 'watch-failed':
        return metrics.storeWatches.inc({ kind: event.kind, result: event.reason });
      case 'write':
        return metrics.storeWrites.inc({ kind: event.kind, verb: event.verb, result: event.result });
    }
  };
}

/** Lets a bounded number of lines through in a window, and counts those it kept back. */
function makeLogGate(): { opens(): boolean; takeSkipped(): number } {
  let windowStartMs = -Infinity;
  let lines = 0;
  let skipped = 0;
  return {
    opens() {
      const nowMs = performance.now();
      if (nowMs - windowStartMs >= REFUSAL_WINDOW_MS) {
        windowStartMs = nowMs;
        lines = 0;
      }
      lines++;
      if (lines <= REFUSAL_LINES_MAX) return true;
      skipped++;
      return false;
    },
    takeSkipped() {
      const count = skipped;
      skipped = 0;
      return count;
    },
  };
}
