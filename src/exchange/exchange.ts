/**
 * The exchange of this peer with all others: offers what each may see, keeps what each says in PeerRecords, and tells each
 * what this peer uses of it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { PeerRecordsSpecReport } from '../api/generated/PeerRecords.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { formatKey, type ObjectKey } from '../api/object.ts';
import { formatSource } from '../api/record.ts';
import { CATALOGUE_KINDS } from '../catalogue/read.ts';
import { POLICY_KINDS } from '../policy/read.ts';
import type { Logger } from '../runtime/log.ts';
import { makeWorkQueue } from '../runtime/queue.ts';
import { onAnyChange, type Caches } from '../store/caches.ts';
import type { Store } from '../store/store.ts';
import { makeExchangeClient, type ExchangeClient, type OwnReport } from './client.ts';
import { toTimestamp, type Ledger } from './ledger.ts';
import { PUBLISH_DELAY_MS, REPORT_ENTRIES_MAX, WRITE_TIMEOUT_MS } from './limits.ts';
import { makeOffer } from './offer.ts';
import { desiredPeerRecords, ledgerOf } from './peer-records.ts';
import { makeExchangeServer, type PeerReport } from './server.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ExchangeHandlers, ExchangeStream, OpenExchange } from './transport.ts';

/** The field manager of what the gateway writes; frozen, since it names ownership in stored objects. */
export const GATEWAY_MANAGER = 'clusterlink-mcs-gateway';

export interface ExchangeOptions {
  readonly self: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly epoch: string;
  readonly store: Store;
  /** Synced. */
  readonly caches: Caches;
  readonly allowedNamespaces: readonly string[];
  readonly open: OpenExchange;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Exchange {
  setReachable(peer: string, reachable: boolean): void;
  /** A peer has opened an exchange stream to us. */
  accept(peer: string, stream: ExchangeStream): ExchangeHandlers;
  close(): Promise<void>;
}

/** What is kept of one peer between its messages and its PeerRecords. */
interface PeerState {
  readonly client: ExchangeClient;
  ledger: Ledger;
  report: PeerRecordsSpecReport | undefined;
}

export function startExchange(options: ExchangeOptions): Exchange {
  const { self, epoch, store, caches, allowedNamespaces, open, clock, logger } = options;
  const states = new Map<string, PeerState>();
  const reachable = new Set<string>();
  const writes = makeWorkQueue({ reconcile: writePeerRecords, concurrency: 4, timeoutMs: WRITE_TIMEOUT_MS, logger });
  let offer = makeOffer({ self, caches, allowedNamespaces });
  const server = makeExchangeServer({
    epoch,
    clock,
    onReport: keepReport,
    onProblem: (peer, problem) => logger.warn({ peer, problem }, 'Importer broke the exchange'),
  });

  /** One client for each local Peer object; a peer whose object goes is no longer listened to. */
  function followPeers(): void {
    const names = new Set(caches.Peer.list().map(({ metadata }) => metadata?.name ?? ''));
    names.delete(self.name);
    for (const [peer, { client }] of states) {
      if (names.has(peer)) continue;
      client.close();
      states.delete(peer);
      writes.add(peer);
    }
    for (const peer of names) {
      if (states.has(peer)) continue;
      follow(peer);
      // A peer that comes back at once: what is remembered of it here may be under deletion there.
      writes.add(peer);
    }
  }

  function follow(peer: string): void {
    const objects = recordsObjects(peer);
    const ledger = ledgerOf(objects);
    const report = objects.find(({ spec }) => spec.report !== undefined)?.spec.report;
    const client = makeExchangeClient({
      peer,
      open,
      clock,
      ledger,
      onChange(next) {
        const state = states.get(peer);
        if (state === undefined) return;
        state.ledger = next;
        writes.add(peer);
      },
      onProblem: (problem) => logger.warn({ peer, problem }, 'Exchange with an exporter was interrupted'),
    });
    states.set(peer, { client, ledger, report });
    client.setReport(reportFor(peer));
    client.setReachable(reachable.has(peer));
  }

  function recordsObjects(peer: string): ReturnType<Caches['PeerRecords']['list']> {
    return caches.PeerRecords.list().filter(({ spec }) => spec.peer === peer);
  }

  /** Level-driven: whatever the ledger is when the write is made. A peer without a Peer object has no records. */
  async function writePeerRecords(peer: string): Promise<undefined> {
    const state = states.get(peer);
    const desired = state === undefined ? [] : desiredPeerRecords(peer, state.ledger, state.report);
    for (const object of desired) await store.apply(object, { fieldManager: GATEWAY_MANAGER, force: true });
    const kept = new Set(desired.map(({ metadata }) => metadata.name));
    for (const { metadata } of recordsObjects(peer)) {
      const name = metadata?.name ?? '';
      if (!kept.has(name)) await store.delete('PeerRecords', { namespace: SYSTEM_NAMESPACE, name });
    }
    return undefined;
  }

  function keepReport(peer: string, said: Pick<PeerReport, 'conflicts' | 'imports'>): void {
    const state = states.get(peer);
    if (state === undefined) return;
    const { report } = state;
    // Only what we offer to this peer can be reported on by it: nothing else of ours is its business.
    const next = filterReport(said, offer.visibleTo(peer));
    if (report !== undefined && isDeepStrictEqual({ conflicts: report.conflicts, imports: report.imports }, next))
      return;
    state.report = { receivedAt: toTimestamp(clock.nowMs()), ...next };
    writes.add(peer);
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

  let cancelPublish: (() => void) | undefined;
  function publishSoon(): void {
    cancelPublish ??= clock.after(PUBLISH_DELAY_MS, () => {
      cancelPublish = undefined;
      offer = makeOffer({ self, caches, allowedNamespaces });
      server.publish((peer) => offer.visibleTo(peer));
      for (const [peer, { client, report }] of states) {
        client.setReport(reportFor(peer));
        // What it may see no longer is no longer its business either.
        if (report !== undefined) keepReport(peer, report);
      }
    });
  }

  followPeers();
  publishSoon();
  // Also those of peers whose Peer object went while this process was away.
  for (const { spec } of caches.PeerRecords.list()) writes.add(spec.peer);
  const stops = [
    caches.Peer.onChange(followPeers),
    // Whatever others do to these objects is undone. Their names are `<peer>` and `<peer>.<n>`.
    caches.PeerRecords.onChange(({ name }) => writes.add(name.split('.')[0] ?? name)),
    onAnyChange(caches, [...CATALOGUE_KINDS, ...POLICY_KINDS, 'Peer', 'ImportBinding'], publishSoon),
  ];

  return {
    setReachable(peer, isReachable) {
      if (reachable.has(peer) === isReachable) return;
      if (isReachable) reachable.add(peer);
      else reachable.delete(peer);
      states.get(peer)?.client.setReachable(isReachable);
    },
    accept: (peer, stream) => server.accept(peer, stream),
    async close() {
      stops.forEach((stop) => stop());
      cancelPublish?.();
      for (const { client } of states.values()) client.close();
      server.close();
      await writes.close();
    },
  };
}

function filterReport(
  { conflicts, imports }: Pick<PeerReport, 'conflicts' | 'imports'>,
  offered: readonly ObjectKey[],
): Pick<PeerRecordsSpecReport, 'conflicts' | 'imports'> {
  const visible = new Set(offered.map(formatKey));
  const isVisible = (key: ObjectKey): boolean => visible.has(formatKey(key));
  return {
    conflicts: conflicts.filter(isVisible).map(({ reasons, ...conflict }) => ({ ...conflict, reasons: [...reasons] })),
    imports: imports.filter(isVisible).map((key) => ({ ...key })),
  };
}
