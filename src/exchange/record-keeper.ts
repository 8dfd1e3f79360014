/**
 * The part of the exchange that one replica has at a time: listens to every peer, and keeps what they say in PeerRecords.
 * One keeper is one term: made when the lease is won, closed when it is lost.
 */
import { isDeepStrictEqual } from 'node:util';
import type { IPeerRecords } from '../api/generated/PeerRecords.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { makeWorkQueue, type ReconcileOutcome } from '../runtime/queue.ts';
import type { CachesOf } from '../store/caches.ts';
import type { Store } from '../store/store.ts';
import { makeExchangeClient, type ExchangeClient, type OwnReport } from './client.ts';
import type { Ledger } from './ledger.ts';
import { PEER_WRITE_INTERVAL_MS, PEER_WRITES_AT_ONCE_MAX, WRITE_TIMEOUT_MS } from './limits.ts';
import { makePace } from './pace.ts';
import { ledgerOf, placementOf, planPeerRecords, type Placement } from './peer-records.ts';
import type { OpenExchange } from './transport.ts';

/** The field manager of what the gateway writes; frozen, since it names ownership in stored objects. */
export const GATEWAY_MANAGER = 'clusterlink-mcs-gateway';

export interface RecordKeeperOptions {
  /** The name of this peer. */
  readonly self: string;
  readonly store: Store;
  readonly caches: CachesOf<'Peer' | 'PeerRecords'>;
  readonly open: OpenExchange;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Peers with a session. */
  readonly reachable: ReadonlySet<string>;
  /** What this peer uses of another, and finds wrong with it. */
  reportFor(peer: string): OwnReport;
}

export interface RecordKeeper {
  setReachable(peer: string, reachable: boolean): void;
  /** What is reported to peers could have changed. */
  report(): void;
  /** From now on nothing is written that is not under way already. Resolves when that has ended. */
  close(): Promise<void>;
}

/** What is kept of one peer between its messages and its PeerRecords. */
interface PeerState {
  readonly client: ExchangeClient;
  ledger: Ledger;
  /** Which of its objects holds which record, as they were last written: a cache may be behind. */
  placement: Placement;
  /** The peer has spoken in this term. Until then the objects are the truth, whoever writes them last: a leader before. */
  hasSpoken: boolean;
}

export function startRecordKeeper(options: RecordKeeperOptions): RecordKeeper {
  const { self, store, caches, open, clock, logger, reachable, reportFor } = options;
  const states = new Map<string, PeerState>();
  const writes = makeWorkQueue({ reconcile: writePeerRecords, concurrency: 4, timeoutMs: WRITE_TIMEOUT_MS, logger });
  const pace = makePace({ intervalMs: PEER_WRITE_INTERVAL_MS, burst: PEER_WRITES_AT_ONCE_MAX });
  let isClosed = false;

  /** One client for each local Peer object; a peer whose object goes is no longer listened to. */
  function followPeers(): void {
    const names = new Set(caches.Peer.list().map(({ metadata }) => metadata?.name ?? ''));
    names.delete(self);
    for (const [peer, { client }] of states) {
      if (names.has(peer)) continue;
      client.close();
      states.delete(peer);
      pace.forget(peer);
      writes.add(peer);
    }
    for (const peer of names) if (!states.has(peer)) follow(peer);
  }

  function follow(peer: string): void {
    const stored = recordsObjects(peer);
    const ledger = ledgerOf(stored);
    const client = makeExchangeClient({
      peer,
      open,
      clock,
      ledger,
      onChange(next) {
        const state = states.get(peer);
        if (state?.client !== client) return;
        state.ledger = next;
        state.hasSpoken = true;
        writes.add(peer);
      },
      onProblem: (problem) => logger.warn({ peer, problem }, 'Exchange with an exporter was interrupted'),
    });
    states.set(peer, { client, ledger, placement: placementOf(stored), hasSpoken: false });
    client.setReport(reportFor(peer));
    client.setReachable(reachable.has(peer));
    if (firstObject(peer) === undefined) writes.add(peer);
  }

  /**
   * Whatever others do to these objects is undone. But at the beginning of a term the watch may still bring what the leader
   * before wrote last: to write over it what was known here earlier would withdraw what the peer has not withdrawn.
   */
  function onRecordsChange(peer: string): void {
    const state = states.get(peer);
    if (state === undefined || state.hasSpoken || firstObject(peer) === undefined) return void writes.add(peer);
    const stored = recordsObjects(peer);
    const planOf = (ledger: Ledger) => planPeerRecords(peer, ledger, placementOf(stored));
    if (isDeepStrictEqual(planOf(ledgerOf(stored)).objects, planOf(state.ledger).objects)) return;
    state.client.close();
    follow(peer);
  }

  function recordsObjects(peer: string): readonly IPeerRecords[] {
    return caches.PeerRecords.list().filter(({ spec }) => spec.peer === peer);
  }

  function firstObject(peer: string): IPeerRecords | undefined {
    return caches.PeerRecords.get({ namespace: SYSTEM_NAMESPACE, name: peer });
  }

  /** Level-driven: whatever the ledger is when the write is made. A peer without a Peer object has no records. */
  async function writePeerRecords(peer: string): Promise<ReconcileOutcome | undefined> {
    const restMs = pace.take(peer);
    if (restMs > 0) return { requeueAfterMs: restMs };
    const state = states.get(peer);
    const plan = state === undefined ? undefined : planPeerRecords(peer, state.ledger, state.placement);
    for (const object of plan?.objects ?? []) {
      if (isClosed) return undefined;
      await store.apply(object, { fieldManager: GATEWAY_MANAGER, force: true });
    }
    // Not before: what could not be written is planned again from where the records were.
    if (state !== undefined && plan !== undefined) state.placement = plan.placement;
    const kept = new Set(plan?.objects.map(({ metadata }) => metadata.name));
    for (const { metadata } of recordsObjects(peer)) {
      const name = metadata?.name ?? '';
      if (kept.has(name)) continue;
      if (isClosed) return undefined;
      await store.delete('PeerRecords', { namespace: SYSTEM_NAMESPACE, name });
    }
    return undefined;
  }

  followPeers();
  // Of peers whose Peer object went while nobody led.
  for (const { spec } of caches.PeerRecords.list()) if (!states.has(spec.peer)) writes.add(spec.peer);
  const stops = [
    caches.Peer.onChange(followPeers),
    // Their names are `<peer>` and `<peer>.<n>`.
    caches.PeerRecords.onChange(({ name }) => onRecordsChange(name.split('.')[0] ?? name)),
  ];

  return {
    setReachable: (peer, isReachable) => states.get(peer)?.client.setReachable(isReachable),
    report() {
      for (const [peer, { client }] of states) client.setReport(reportFor(peer));
    },
    async close() {
      isClosed = true;
      stops.forEach((stop) => stop());
      for (const { client } of states.values()) client.close();
      states.clear();
      await writes.close();
    },
  };
}
