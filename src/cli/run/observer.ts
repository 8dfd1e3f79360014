/** Turns what the data plane and the controllers report into metrics and log lines. */
import { REASONS } from '../../api/reasons.ts';
import { formatSource } from '../../api/record.ts';
import type { ReconcileResult } from '../../controllers/controller.ts';
import type { ExchangeMetrics } from '../../exchange/peer-alarms.ts';
import type { Usage } from '../../exchange/peer-conditions.ts';
import type { ControlEvents } from '../../gateway/control.ts';
import { BUFFER_BYTES_MAX } from '../../gateway/limits.ts';
import type { ClosingRecord, LimitsReport } from '../../gateway/messages.ts';
import type { Logger } from '../../runtime/log.ts';
import { makeLogGate, makePeerLogGates } from '../../runtime/log-gate.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { StoreEvent } from '../../store/kubernetes/store-event.ts';

export type Observer = Pick<
  ControlEvents,
  'onFastPath' | 'onPeer' | 'onOpened' | 'onClosed' | 'onRefused' | 'onLimits' | 'onEjection'
>;

/** Lines about refusals in one window: whoever is refused chooses how often, and must not fill a disk. Metrics count all. */
const REFUSAL_LINES_MAX = 100;
const REFUSAL_WINDOW_MS = 10_000;

/** Ends that nobody here has to look into. */
const ORDINARY: ReadonlySet<string> = new Set([REASONS.Done, REASONS.Aborted]);

export interface ObserverOptions {
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Whether an export of this name is here, `namespace/name`. */
  isExport(object: string): boolean;
}

export function makeObserver({ metrics, logger, isExport }: ObserverOptions): Observer {
  const reachable = new Map<string, boolean>();
  const gate = makeLogGate({ linesMax: REFUSAL_LINES_MAX, windowMs: REFUSAL_WINDOW_MS });
  const peerGates = makePeerLogGates();
  return {
    onFastPath(state) {
      metrics.fastPath.set(state === 'on' ? 1 : 0);
      if (state === 'on') return;
      const fields = { reason: state, node: process.versions.node };
      if (state === 'switched_off') logger.info(fields, 'Fast path is off');
      else logger.warn(fields, 'Fast path is off: this Node is not known to do it, bytes cost more CPU');
    },
    onPeer({ name, sessions, version, reason, message }) {
      if (reason === REASONS.PeerUnknown) {
        metrics.sessions.remove({ peer: name });
        peerGates.forget(name);
        if (reachable.delete(name)) logger.info({ peer: name }, 'Peer was removed');
        return;
      }
      metrics.sessions.set({ peer: name }, sessions);
      const isReachable = version !== undefined;
      const before = reachable.get(name);
      if (before === isReachable) return;
      reachable.set(name, isReachable);
      // It may come and go as often as it likes.
      const peerGate = peerGates.of(name);
      if (!peerGate.opens()) return;
      const unlogged = peerGate.takeSkipped();
      if (isReachable) logger.info({ peer: name, version, unlogged }, 'Peer became reachable');
      else if (before === undefined) logger.info({ peer: name, unlogged }, 'Peer is not reachable yet');
      else logger.warn({ peer: name, reason, cause: message, unlogged }, 'Peer is unreachable');
    },
    onOpened: (direction) => metrics.connectionsOpen.add({ direction }, 1),
    onClosed(record) {
      const { direction, object, peer, reason, sentBytes, receivedBytes, opened } = record;
      // A peer may ask for any name, and leave before it is looked up: only names that are ours become label values.
      const label = direction === 'egress' || opened || isExport(object) ? object : 'unknown';
      metrics.connections.inc({ direction, import_or_export: label, peer, reason });
      if (opened) metrics.connectionsOpen.add({ direction }, -1);
      if (record.earlyBytes !== undefined) metrics.connectionsEarly.inc({ result: earlyResultOf(record) });
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
    onLimits: makeLimitsObserver(metrics),
    onRefused(reason, from) {
      metrics.handshakesRefused.inc({ reason });
      if (gate.opens()) logger.warn({ reason, from, unlogged: gate.takeSkipped() }, 'Peer connection was refused');
    },
  };
}

/** `spent`: the client was reset, since its bytes may have been delivered. */
function earlyResultOf({ opened, reason }: ClosingRecord): string {
  if (opened) return 'opened';
  return reason === REASONS.EarlyBytesSpent ? 'spent' : 'refused';
}

function makeLimitsObserver(metrics: Metrics): ControlEvents['onLimits'] {
  let before: LimitsReport = { usages: [], bufferedBytes: [], bufferedBytesTotal: 0 };
  metrics.bufferedBytesMax.set(BUFFER_BYTES_MAX);
  return (report) => {
    for (const { limit, peer, ratio, refused } of report.usages) {
      metrics.limitUsed.set({ limit, peer }, ratio);
      if (refused > 0) metrics.limitRefusals.inc({ limit, peer }, refused);
    }
    for (const [peer, bytes] of report.bufferedBytes) metrics.bufferedBytes.set({ peer }, bytes);
    metrics.bufferedBytesTotal.set(report.bufferedBytesTotal);
    // What was there before and is there no more is a peer that has gone, or a limit that is far again.
    const named = new Set(report.usages.map(({ limit, peer }) => `${limit} ${peer}`));
    const buffering = new Set(report.bufferedBytes.map(([peer]) => peer));
    for (const { limit, peer } of before.usages) {
      if (!named.has(`${limit} ${peer}`)) metrics.limitUsed.remove({ limit, peer });
    }
    for (const [peer] of before.bufferedBytes) if (!buffering.has(peer)) metrics.bufferedBytes.remove({ peer });
    before = report;
  };
}

/** What the exchange counts of a peer. Limits that are used by nobody have no series. */
export function makeExchangeMetrics({
  limitUsed,
  limitRefusals,
  recordsHeld,
}: Pick<Metrics, 'limitUsed' | 'limitRefusals' | 'recordsHeld'>): Omit<ExchangeMetrics, 'onConfirmed'> {
  const known = new Map<string, Usage>();
  return {
    onUsage(peer, usage) {
      for (const limit of Object.keys(known.get(peer) ?? {})) {
        if (usage === undefined) limitUsed.remove({ limit, peer });
      }
      for (const [limit, ratio] of Object.entries(usage ?? {})) limitUsed.set({ limit, peer }, ratio);
      if (usage === undefined) known.delete(peer);
      else known.set(peer, usage);
    },
    onHeld(peer, records) {
      if (records === undefined) recordsHeld.remove({ peer });
      else recordsHeld.set({ peer }, records);
    },
    onRefused: (peer, limit) => limitRefusals.inc({ limit, peer }),
    onLeftOut(peer, exports) {
      const labels = { limit: 'exports_told', peer };
      if (exports > 0) limitUsed.set(labels, 1);
      else limitUsed.remove(labels);
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
        metrics.storeRead.set({ kind: event.kind }, Math.floor(Date.now() / 1000));
        return metrics.storeLists.inc({ kind: event.kind, result: 'ok' });
      case 'list-failed':
        return metrics.storeLists.inc({ kind: event.kind, result: event.reason });
      case 'watching':
        metrics.storeRead.set({ kind: event.kind }, Math.floor(Date.now() / 1000));
        return metrics.storeWatches.inc({ kind: event.kind, result: 'ok' });
      case 'watch-failed':
        return metrics.storeWatches.inc({ kind: event.kind, result: event.reason });
      case 'write':
        return metrics.storeWrites.inc({ kind: event.kind, verb: event.verb, result: event.result });
    }
  };
}
