/**
 * The exchange of this peer with all others: offers what each may see, keeps what each says in PeerRecords, and tells each
 * what this peer uses of it.
 *
 * Of several replicas every one answers what peers ask, and writes down what they report; only the one that leads asks peers
 * itself.
 */
import { isDeepStrictEqual } from 'node:util';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { formatSource } from '../api/record.ts';
import type { TargetRestriction } from '../catalogue/pod-targets.ts';
import { onCatalogueChange } from '../catalogue/changes.ts';
import { CATALOGUE_KINDS } from '../catalogue/read.ts';
import { POLICY_KINDS } from '../policy/read.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { makePeerLogGates } from '../runtime/log-gate.ts';
import { makeRest } from '../runtime/rest.ts';
import { makeWorkQueue } from '../runtime/queue.ts';
import { onAnyChange, type CachesOf } from '../store/caches.ts';
import { onSpecChange } from '../store/spec-changes.ts';
import type { Store } from '../store/store.ts';
import type { OwnReport } from './client.ts';
import { PUBLISH_DELAY_MS, REPORT_ENTRIES_MAX, REPORT_INTERVAL_MS, WRITE_TIMEOUT_MS } from './limits.ts';
import { makeOffer } from './offer.ts';
import { makeLeftOut } from './left-out.ts';
import type { Hold } from './losses.ts';
import { makePace } from './pace.ts';
import type { ExchangeMetrics } from './peer-alarms.ts';
import { startRecordKeeper, type RecordKeeper } from './record-keeper.ts';
import { makeReports } from './reports.ts';
import { makeExchangeServer } from './server.ts';
import type { ExchangeHandlers, ExchangeStream, OpenExchange } from './transport.ts';

/** The kinds that the exchange reads. */
export const EXCHANGE_KINDS = ['ImportBinding', 'Peer', 'PeerRecords', ...CATALOGUE_KINDS, ...POLICY_KINDS] as const;
export type ExchangeCaches = CachesOf<(typeof EXCHANGE_KINDS)[number]> & Partial<CachesOf<'Namespace'>>;

export interface ExchangeOptions {
  readonly self: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly epoch: string;
  readonly store: Store;
  /** Synced. */
  readonly caches: ExchangeCaches;
  readonly allowedNamespaces: readonly string[];
  /** In a cluster: which endpoints count. */
  readonly restriction?: TargetRestriction;
  /** Whether this replica leads from the start: standalone, there is no other. */
  readonly leading: boolean;
  readonly open: OpenExchange;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ExchangeMetrics;
}

export interface Exchange {
  /** @param epochs - of the installations that sessions with the peer are with; undefined while there is no session. */
  setReachable(peer: string, epochs: readonly string[] | undefined): void;
  /**
   * Lets go of the records of a peer that are held now, as its administrator confirms that they were meant to go. Undefined when
   * nothing of it is held, or another replica leads.
   */
  acceptLoss(peer: string): Hold | undefined;
  /** The lease was won or lost. Won, it begins with what PeerRecords hold; lost, it writes no more from this moment. */
  setLeading(leading: boolean): void;
  /** A peer has opened an exchange stream to us. */
  accept(peer: string, stream: ExchangeStream): ExchangeHandlers;
  /**
   * The revocation lists that are in force here, base64 or PEM; at most CRLS_MAX of CRL_BYTES_MAX characters. Told to all peers,
   * whole each time; peers of a version that does not know them are not told.
   */
  publishRevocations(lists: readonly string[]): void;
  close(): Promise<void>;
}

export function startExchange(options: ExchangeOptions): Exchange {
  const { self, epoch, store, caches, allowedNamespaces, restriction, open, clock, logger, metrics } = options;
  const reachable = new Map<string, readonly string[]>();
  const leftOut = makeLeftOut({ logger, metrics });
  const newOffer = () =>
    makeOffer({
      self,
      caches,
      allowedNamespaces,
      ...(restriction === undefined ? {} : { restriction }),
      onLeftOut: leftOut.tell,
    });
  let offer = newOffer();
  let isLeading = false;
  let keeper: RecordKeeper | undefined;
  /** The end of the term before: two never write at once. */
  let lastTerm = Promise.resolve();

  const reports = makeReports({
    store,
    stored: (peer) => caches.PeerRecords.get({ namespace: SYSTEM_NAMESPACE, name: peer }),
    visibleTo: (peer) => offer.visibleTo(peer),
    onDue: (peer) => void reportWrites.add(peer),
    nowMs: () => clock.nowMs(),
  });
  const pace = makePace({ intervalMs: REPORT_INTERVAL_MS, burst: 1 });
  const reportWrites = makeWorkQueue({
    async reconcile(peer) {
      const restMs = pace.take(peer);
      if (restMs > 0) return { requeueAfterMs: restMs };
      await reports.write(peer);
      return undefined;
    },
    concurrency: 4,
    timeoutMs: WRITE_TIMEOUT_MS,
    logger,
  });
  const problemGates = makePeerLogGates();
  const server = makeExchangeServer({
    epoch,
    clock,
    onReport: (peer, report) => reports.keep(peer, report),
    onProblem(peer, problem) {
      const gate = problemGates.of(peer);
      if (gate.opens()) logger.warn({ peer, problem, unlogged: gate.takeSkipped() }, 'Importer broke the exchange');
    },
  });

  const newKeeper = (): RecordKeeper =>
    startRecordKeeper({ self: self.name, store, caches, open, clock, logger, metrics, reachable, reportFor });

  function setLeading(leading: boolean): void {
    if (leading === isLeading) return;
    isLeading = leading;
    if (!leading) {
      const ended = keeper?.close();
      keeper = undefined;
      lastTerm = Promise.all([lastTerm, ended]).then(() => undefined);
      return;
    }
    void lastTerm.then(() => {
      if (!isLeading || keeper !== undefined) return;
      keeper = newKeeper();
    });
  }

  function reportFor(peer: string): OwnReport {
    const verdicts = caches.ImportBinding.list().flatMap(({ spec }) =>
      (spec.verdicts ?? []).filter((verdict) => verdict.peer === peer),
    );
    const imports = new Map(
      verdicts.map(({ namespace, name }) => [formatSource({ peer, namespace, name }), { namespace, name }]),
    );
    const conflicts = verdicts
      .filter(({ reasons }) => reasons.length > 0)
      .map(({ namespace, name, reasons, loses }) => ({ namespace, name, reasons, loses }));
    return {
      conflicts: conflicts.slice(0, REPORT_ENTRIES_MAX),
      imports: [...imports.values()].slice(0, REPORT_ENTRIES_MAX),
    };
  }

  const peerNames = (): string[] => caches.Peer.list().map(({ metadata }) => metadata?.name ?? '');

  let cancelReport: (() => void) | undefined;
  let reportedMs = -REPORT_INTERVAL_MS;
  function reportSoon(): void {
    // A clock that is set back must not silence the reports.
    const restMs = Math.min(REPORT_INTERVAL_MS, reportedMs + REPORT_INTERVAL_MS - clock.nowMs());
    cancelReport ??= clock.after(Math.max(0, restMs), () => {
      cancelReport = undefined;
      reportedMs = clock.nowMs();
      keeper?.report();
    });
  }

  let cancelPublish: (() => void) | undefined;
  const rest = makeRest({ minMs: PUBLISH_DELAY_MS });
  function publishSoon(): void {
    cancelPublish ??= clock.after(rest.delayMs(), () => {
      cancelPublish = undefined;
      rest.time(publish);
    });
  }

  function publish(): void {
    offer = newOffer();
    server.publish((peer) => offer.visibleTo(peer));
    reportSoon();
    reports.filter(peerNames());
  }

  publishSoon();
  const stops = [
    caches.Peer.onChange(({ name }) => {
      if (peerNames().includes(name)) return;
      reports.forget(name);
      pace.forget(name);
      problemGates.forget(name);
      server.forget(name);
      leftOut.tell(name, 0);
    }),
    caches.PeerRecords.onChange(({ name }) => reportWrites.add(name)),
    onSpecChange(caches.ImportBinding, publishSoon),
    onAnyChange(caches, ['Peer', ...POLICY_KINDS], publishSoon),
    onCatalogueChange(caches, publishSoon),
    caches.Namespace?.onChange(publishSoon),
    restriction?.onChange(publishSoon),
  ];
  if (options.leading) {
    isLeading = true;
    keeper = newKeeper();
  }

  return {
    setReachable(peer, epochs) {
      if (isDeepStrictEqual(reachable.get(peer), epochs)) return;
      if (epochs === undefined) reachable.delete(peer);
      else reachable.set(peer, epochs);
      keeper?.reachabilityChanged(peer);
    },
    acceptLoss(peer) {
      const hold = keeper?.holdOf(peer);
      if (hold !== undefined) keeper?.acceptLoss(peer, hold.since);
      return hold;
    },
    setLeading,
    accept: (peer, stream) => server.accept(peer, stream),
    publishRevocations: (lists) => server.publishRevocations(lists),
    async close() {
      stops.forEach((stop) => stop?.());
      cancelPublish?.();
      cancelReport?.();
      setLeading(false);
      server.close();
      await Promise.all([lastTerm, reportWrites.close()]);
    },
  };
}
