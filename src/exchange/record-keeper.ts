/**
 * The part of the exchange that one replica has at a time: listens to every peer, and keeps what they say in PeerRecords.
 * One keeper is one term: made when the lease is won, closed when it is lost.
 */
import { isDeepStrictEqual } from 'node:util';
import type { IPeerRecords } from '../api/generated/PeerRecords.ts';
import { ANNOTATIONS, SYSTEM_NAMESPACE } from '../api/names.ts';
import { toTimestamp } from '../api/timestamp.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { makePeerLogGates } from '../runtime/log-gate.ts';
import { makeRest, type Rest } from '../runtime/rest.ts';
import { makeWorkQueue, type ReconcileOutcome } from '../runtime/queue.ts';
import type { CachesOf } from '../store/caches.ts';
import type { Store } from '../store/store.ts';
import { makeExchangeClient, type ExchangeClient, type OwnReport } from './client.ts';
import { isFrozen, nextSightMs, NOBODY_SEEN, rivalsOf, sight, type Sightings } from './duplicates.ts';
import { usageOf, type Ledger, type LedgerLimit } from './ledger.ts';
import { PEER_GONE_GRACE_MS, PEER_WRITE_INTERVAL_MS, PEER_WRITES_AT_ONCE_MAX, WRITE_TIMEOUT_MS } from './limits.ts';
import { holdOf, type Hold } from './losses.ts';
import { makePace } from './pace.ts';
import { makePeerAlarms, type ExchangeMetrics } from './peer-alarms.ts';
import {
  goneSinceOf,
  isSameObject,
  ledgerOf,
  placementOf,
  planPeerRecords,
  type Placement,
  type PlannedRecords,
  type RecordsPlan,
} from './peer-records.ts';
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
  readonly metrics: ExchangeMetrics;
  /** Peers with a session, and the epochs of the installations that these are with. */
  readonly reachable: ReadonlyMap<string, readonly string[]>;
  /** What this peer uses of another, and finds wrong with it. */
  reportFor(peer: string): OwnReport;
}

export interface RecordKeeper {
  /** {@link RecordKeeperOptions.reachable} has changed for this peer. */
  reachabilityChanged(peer: string): void;
  /** What is reported to peers could have changed. */
  report(): void;
  /** What is held of a peer. */
  holdOf(peer: string): Hold | undefined;
  /** Lets go of what is held since then; what is held later stays. */
  acceptLoss(peer: string, since: string): void;
  /** From now on nothing is written that is not under way already. Resolves when that has ended. */
  close(): Promise<void>;
}

interface Written {
  readonly object: PlannedRecords;
  readonly version: string | undefined;
}

/** What is kept of one peer between its messages and its PeerRecords. */
interface PeerState {
  readonly client: ExchangeClient;
  ledger: Ledger;
  /** Which of its objects holds which record, as they were last written: a cache may be behind. */
  placement: Placement;
  /** By name: what was written of it last, and as which version. */
  readonly written: Map<string, Written>;
  /** To plan costs a look at all records. */
  readonly rest: Rest;
  /** The peer has spoken in this term. Until then the objects are the truth, whoever writes them last: a leader before. */
  hasSpoken: boolean;
  /** The bound beyond which it tried to go, since it last said all of its records. */
  refused: LedgerLimit | undefined;
}

export function startRecordKeeper(options: RecordKeeperOptions): RecordKeeper {
  const { self, store, caches, open, clock, logger, metrics, reachable, reportFor } = options;
  const states = new Map<string, PeerState>();
  const sightings = new Map<string, { seen: Sightings; cancel(): void }>();
  /** Of peers whose Peer object is gone: forgets them in time. */
  const gone = new Map<string, () => void>();
  const writes = makeWorkQueue({ reconcile: writePeer, concurrency: 4, timeoutMs: WRITE_TIMEOUT_MS, logger });
  const pace = makePace({ intervalMs: PEER_WRITE_INTERVAL_MS, burst: PEER_WRITES_AT_ONCE_MAX });
  const gates = makePeerLogGates();
  const alarms = makePeerAlarms({ store, caches, clock, logger, metrics });
  let isClosed = false;

  /** One client for each local Peer object; a peer whose object goes is no longer listened to. */
  function followPeers(): void {
    const names = new Set(caches.Peer.list().map(({ metadata }) => metadata?.name ?? ''));
    names.delete(self);
    for (const peer of states.keys()) if (!names.has(peer)) leave(peer);
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
        if (next.digest !== state.ledger.digest || next.epoch !== state.ledger.epoch) state.refused = undefined;
        state.ledger = next;
        state.hasSpoken = true;
        writes.add(peer);
      },
      onConfirmed: () => metrics.onConfirmed(peer),
      onProblem(problem, limit) {
        const gate = gates.of(peer);
        if (gate.opens()) {
          const unlogged = gate.takeSkipped();
          logger.warn({ peer, problem, unlogged }, 'Exchange with an exporter was interrupted');
        }
        const state = states.get(peer);
        if (limit === undefined || state?.client !== client) return;
        metrics.onRefused(peer, limit);
        state.refused = limit;
        writes.add(peer);
      },
    });
    const placement = placementOf(stored);
    const rest = makeRest({ minMs: 0 });
    states.set(peer, { client, ledger, placement, written: new Map(), rest, hasSpoken: false, refused: undefined });
    gone.get(peer)?.();
    gone.delete(peer);
    client.setReport(reportFor(peer));
    look(peer);
    client.setReachable(reachable.has(peer));
    acceptAnnotated(peer);
    if (firstObject(peer) === undefined || goneSinceOf(stored) !== undefined || ledger.losses.size > 0)
      writes.add(peer);
  }

  function leave(peer: string): void {
    states.get(peer)?.client.close();
    states.delete(peer);
    sightings.get(peer)?.cancel();
    sightings.delete(peer);
    alarms.forget(peer);
    pace.forget(peer);
    gates.forget(peer);
    writes.add(peer);
  }

  /** Which installations speak for the peer: nothing that is said counts while there is more than one. */
  function look(peer: string): void {
    const state = states.get(peer);
    if (state === undefined) return;
    const before = sightings.get(peer);
    before?.cancel();
    const seen = sight(before?.seen ?? NOBODY_SEEN, reachable.get(peer) ?? [], clock.nowMs());
    const nextMs = nextSightMs(seen, clock.nowMs());
    const cancel =
      nextMs === undefined ? () => undefined : clock.after(Math.max(1, nextMs - clock.nowMs()), () => look(peer));
    sightings.set(peer, { seen, cancel });
    state.client.setFrozen(isFrozen(seen));
    if (seen.isDuplicate !== (before?.seen.isDuplicate ?? false)) writes.add(peer);
  }

  function acceptAnnotated(peer: string): void {
    const object = caches.Peer.get({ namespace: SYSTEM_NAMESPACE, name: peer });
    const since = object?.metadata?.annotations?.[ANNOTATIONS.acceptLoss];
    if (since !== undefined) states.get(peer)?.client.acceptLoss(since);
  }

  /**
   * Whatever others do to these objects is undone. But at the beginning of a term the watch may still bring what the leader
   * before wrote last: to write over it what was known here earlier would withdraw what the peer has not withdrawn.
   */
  function onRecordsChange(peer: string): void {
    const state = states.get(peer);
    const stored = recordsObjects(peer);
    if (state === undefined || state.hasSpoken || firstObject(peer) === undefined) return void writes.add(peer);
    // Written for a Peer object that has come back meanwhile.
    if (goneSinceOf(stored) !== undefined) return void writes.add(peer);
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

  /** Level-driven: whatever the ledger is when the write is made. */
  async function writePeer(peer: string): Promise<ReconcileOutcome | undefined> {
    const state = states.get(peer);
    const restMs = state?.rest.delayMs() ?? 0;
    if (restMs > 0) return { requeueAfterMs: restMs };
    const waitMs = pace.take(peer);
    if (waitMs > 0) return { requeueAfterMs: waitMs };
    const plan =
      state === undefined
        ? planGone(peer)
        : state.rest.time(() => planPeerRecords(peer, state.ledger, state.placement));
    await writePlan(peer, plan, state?.written);
    if (state === undefined || isClosed || states.get(peer) !== state) return undefined;
    // Not before: what could not be written is planned again from where the records were.
    if (plan !== undefined) state.placement = plan.placement;
    const { ledger, refused } = state;
    const seen = sightings.get(peer)?.seen ?? NOBODY_SEEN;
    const usage = { ...usageOf(ledger), ...(refused === undefined ? {} : { [refused]: 1 }) };
    const duplicates = seen.isDuplicate ? rivalsOf(seen, clock.nowMs()) : [];
    await alarms.tell(peer, { hold: holdOf(ledger.losses), duplicates, usage });
    return undefined;
  }

  async function writePlan(
    peer: string,
    plan: RecordsPlan | undefined,
    written = new Map<string, Written>(),
  ): Promise<void> {
    for (const object of plan?.objects ?? []) {
      if (isClosed) return;
      if (isWritten(object, written)) continue;
      const { metadata } = await store.apply(object, { fieldManager: GATEWAY_MANAGER, force: true });
      written.set(object.metadata.name, { object, version: metadata?.resourceVersion });
    }
    const kept = new Set(plan?.objects.map(({ metadata }) => metadata.name));
    for (const name of written.keys()) if (!kept.has(name)) written.delete(name);
    for (const { metadata } of recordsObjects(peer)) {
      const name = metadata?.name ?? '';
      if (kept.has(name)) continue;
      if (isClosed) return;
      await store.delete('PeerRecords', { namespace: SYSTEM_NAMESPACE, name });
    }
  }

  /** Of a peer with thousands of records one changes, as a rule: to compare all of them each time would cost a core. */
  function isWritten(object: PlannedRecords, written: ReadonlyMap<string, Written>): boolean {
    const { name } = object.metadata;
    const before = written.get(name);
    const present = caches.PeerRecords.get({ namespace: SYSTEM_NAMESPACE, name })?.metadata?.resourceVersion;
    return (
      before !== undefined && before.version === present && present !== undefined && isSameObject(before.object, object)
    );
  }

  /**
   * A peer without a Peer object has no records: nobody reads them, and it has no session. They are remembered for a while all the
   * same, since tools replace objects by deleting them first. Undefined when that is over.
   */
  function planGone(peer: string): RecordsPlan | undefined {
    const stored = recordsObjects(peer);
    if (stored.length === 0) return undefined;
    const nowMs = clock.nowMs();
    // A clock that was set back must not keep them for longer.
    const sinceMs = Math.min(Date.parse(goneSinceOf(stored) ?? toTimestamp(nowMs)), nowMs);
    const restMs = sinceMs + PEER_GONE_GRACE_MS - nowMs;
    gone.get(peer)?.();
    gone.delete(peer);
    if (restMs <= 0) return undefined;
    gone.set(
      peer,
      clock.after(restMs, () => writes.add(peer)),
    );
    return planPeerRecords(peer, ledgerOf(stored), placementOf(stored), { peerGoneSince: toTimestamp(sinceMs) });
  }

  followPeers();
  // Of peers whose Peer object went while nobody led.
  for (const { spec } of caches.PeerRecords.list()) if (!states.has(spec.peer)) writes.add(spec.peer);
  const stops = [
    caches.Peer.onChange(({ name }) => {
      followPeers();
      acceptAnnotated(name);
      // Its status may have lost what stands there: the object was made again, or somebody wrote over it.
      if (states.has(name)) writes.add(name);
    }),
    // Their names are `<peer>` and `<peer>.<n>`.
    caches.PeerRecords.onChange(({ name }) => onRecordsChange(name.split('.')[0] ?? name)),
  ];

  return {
    reachabilityChanged(peer) {
      look(peer);
      states.get(peer)?.client.setReachable(reachable.has(peer));
    },
    report() {
      for (const [peer, { client }] of states) client.setReport(reportFor(peer));
    },
    holdOf(peer) {
      const state = states.get(peer);
      return state === undefined ? undefined : holdOf(state.ledger.losses);
    },
    acceptLoss: (peer, since) => states.get(peer)?.client.acceptLoss(since),
    async close() {
      isClosed = true;
      stops.forEach((stop) => stop());
      for (const cancel of gone.values()) cancel();
      for (const { cancel } of sightings.values()) cancel();
      for (const [peer, { client }] of states) {
        client.close();
        alarms.forget(peer);
      }
      states.clear();
      await writes.close();
    },
  };
}
