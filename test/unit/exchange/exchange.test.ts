import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import { ANNOTATIONS } from '#src/api/names.ts';
import type { ExportRecord } from '#src/api/record.ts';
import { digestOf, hashOf } from '#src/exchange/digest.ts';
import { startExchange, type Exchange } from '#src/exchange/exchange.ts';
import {
  ABSENCE_GRACE_MS,
  DIGEST_INTERVAL_MIN_MS,
  DUPLICATE_OVERLAP_MS,
  DUPLICATE_QUIET_MS,
  NAMESPACES_PER_PEER_MAX,
  PEER_GONE_GRACE_MS,
  PUBLISH_DELAY_MS,
  REOPEN_MAX_MS,
  REOPEN_MIN_MS,
  RESUME_GRACE_MS,
  WITHDRAWAL_QUIET_MS,
} from '#src/exchange/limits.ts';
import type { ExchangeHandlers } from '#src/exchange/transport.ts';
import { LOSS_HOLD_MS } from '#src/runtime/limits.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { closeCaches, COMMON_KINDS, openCaches, type Caches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import type { Store } from '#src/store/store.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeManualClock, makeRecord, SILENT_METRICS, type ManualClock } from './samples.ts';

const user = { fieldManager: 'tester' };
const SYSTEM = 'clusterlink-system';

function snapshotLines(...records: ExportRecord[]): unknown[] {
  const digest = digestOf(records.map((record) => ({ ...record, hash: hashOf(record) })));
  return [...records.map((record) => ({ op: 'record', record })), { op: 'synced', digest, epoch: 'one' }];
}

describe('startExchange', () => {
  let store: Store;
  let caches: Caches;
  let clock: ManualClock;
  let exchange: Exchange | undefined;
  /** What the exchange has opened towards peers, the newest last. */
  let opened: (ExchangeHandlers & { onOpened(): void })[];

  /** What it has said to them. */
  let sent: unknown[];
  /** How often a peer has confirmed what is known of it. */
  let confirmed: number;

  beforeEach(() => {
    store = makeMemoryStore();
    caches = openCaches(store, COMMON_KINDS);
    clock = makeManualClock();
    opened = [];
    sent = [];
    confirmed = 0;
  });
  afterEach(async () => {
    await exchange?.close();
    exchange = undefined;
    closeCaches(caches);
    await store.close();
  });

  async function addPeer(name: string, annotations: Record<string, string> = {}): Promise<void> {
    const spec = { gateways: [] };
    const { metadata } = await store.apply(
      {
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'Peer',
        metadata: { namespace: SYSTEM, name, annotations },
        spec,
      },
      user,
    );
    const { resourceVersion } = metadata ?? {};
    await waitFor('the cache has it', () => {
      const cached = caches.Peer.get({ namespace: SYSTEM, name })?.metadata;
      return Number(cached?.resourceVersion) >= Number(resourceVersion);
    });
  }
  async function removePeer(name: string): Promise<void> {
    await store.delete('Peer', { namespace: SYSTEM, name });
  }
  function start(): Exchange {
    exchange = startExchange({
      self: { name: 'west', labels: {} },
      epoch: 'here',
      store,
      caches,
      allowedNamespaces: [],
      leading: true,
      clock,
      logger: makeSilentLogger(),
      metrics: { ...SILENT_METRICS, onConfirmed: () => confirmed++ },
      open(_peer, handlers) {
        opened.push(handlers);
        return {
          send(line) {
            sent.push(line);
            return true;
          },
          close: () => undefined,
        };
      },
    });
    clock.advance(PUBLISH_DELAY_MS + 1);
    return exchange;
  }
  /** The peer can be reached, takes the exchange and says these lines. */
  function hear(...lines: unknown[]): void {
    exchange?.setReachable('east', ['one']);
    opened.at(-1)?.onOpened();
    for (const line of lines) opened.at(-1)?.onLine(JSON.parse(JSON.stringify(line)));
  }
  const stored = (name = 'east') => caches.PeerRecords.get({ namespace: SYSTEM, name });
  const storedNames = (): string[] | undefined => stored()?.spec.records.map(({ record }) => record.name);

  it('what a peer says → PeerRecords; the same again → no write', async () => {
    await addPeer('east');
    start();
    hear(...snapshotLines(makeRecord('db')));
    await waitFor('it is written', () => storedNames()?.join() === 'db');
    const version = stored()?.metadata?.resourceVersion;
    hear({ op: 'record', record: makeRecord('db') });
    await new Promise((resolve) => setImmediate(resolve));
    await store.list('PeerRecords');
    assert.equal(stored()?.metadata?.resourceVersion, version);
  });

  it('records with names that are paths → refused, nothing of them is kept, asked again ever later', async () => {
    await addPeer('east');
    start();
    hear(...snapshotLines(makeRecord('db')));
    await waitFor('the good one is written', () => storedNames()?.join() === 'db');
    const bad = { op: 'record', record: { ...makeRecord('x'), name: '../../etc/passwd' } };
    let waitedMs = 0;
    for (let round = 0; round < 8; round++) {
      const before = opened.length;
      opened.at(-1)?.onOpened();
      opened.at(-1)?.onLine(bad);
      for (waitedMs = 0; opened.length === before; waitedMs += REOPEN_MIN_MS) clock.advance(REOPEN_MIN_MS);
    }
    assert.ok(waitedMs >= REOPEN_MAX_MS / 2, String(waitedMs));
    assert.deepEqual(storedNames(), ['db']);
    assert.deepEqual(
      caches.PeerRecords.list().map(({ metadata }) => metadata?.name),
      ['east'],
    );
  });

  it('the Peer object goes → its records are marked, and go after the grace time; it comes back → they are asked for again', async () => {
    await addPeer('east');
    start();
    hear(...snapshotLines(makeRecord('db')));
    await waitFor('they are written', () => storedNames()?.join() === 'db');
    await removePeer('east');
    await waitFor('they are marked', () => stored()?.spec.peerGoneSince !== undefined);
    clock.advance(PEER_GONE_GRACE_MS - 1_001);
    assert.deepEqual(storedNames(), ['db']);
    clock.advance(2_000);
    await waitFor('they are gone', () => stored() === undefined);
    await addPeer('east');
    hear(...snapshotLines(makeRecord('db')));
    await waitFor('they are back', () => storedNames()?.join() === 'db');
  });

  it('the Peer object goes and comes back at once → what is known and what is stored are the same', async () => {
    await addPeer('east');
    start();
    hear(...snapshotLines(makeRecord('db')));
    await waitFor('they are written', () => storedNames()?.join() === 'db');
    await removePeer('east');
    await addPeer('east');
    await waitFor('the peer is asked again', () => opened.length === 2);
    opened.at(-1)?.onOpened();
    const watch = sent.findLast((line) => (line as { op: string }).op === 'watch') as { have: string | null };
    const lines = watch.have === null ? snapshotLines(makeRecord('db')) : [{ op: 'unchanged' }];
    for (const line of lines) opened.at(-1)?.onLine(line);
    await new Promise((resolve) => setImmediate(resolve));
    await waitFor('they are stored', () => storedNames()?.join() === 'db');
  });

  it('the Peer object comes back within the grace time → its records as they were, with the time they were first seen', async () => {
    await addPeer('east');
    start();
    hear(...snapshotLines(makeRecord('db')));
    await waitFor('they are written', () => storedNames()?.join() === 'db');
    const before = stored()?.spec.records;
    await removePeer('east');
    await waitFor('they are marked', () => stored()?.spec.peerGoneSince !== undefined);
    clock.advance(60_000);
    await addPeer('east');
    await waitFor('the mark is gone', () => stored() !== undefined && stored()?.spec.peerGoneSince === undefined);
    hear(...snapshotLines(makeRecord('db')));
    assert.deepEqual(stored()?.spec.records, before);
    clock.advance(PEER_GONE_GRACE_MS);
    assert.deepEqual(storedNames(), ['db']);
  });

  it('PeerRecords of a peer that is none any more → removed after the grace time', async () => {
    await store.apply(
      {
        apiVersion: 'mcs.clusterlink.net/v1alpha1',
        kind: 'PeerRecords',
        metadata: { namespace: SYSTEM, name: 'east' },
        spec: { peer: 'east', epoch: '', digest: '', records: [] },
      },
      user,
    );
    await waitFor('the cache has it', () => stored());
    start();
    await waitFor('they are marked', () => stored()?.spec.peerGoneSince !== undefined);
    clock.advance(PEER_GONE_GRACE_MS + 1_000);
    await waitFor('they are gone', () => stored() === undefined);
  });

  it('a snapshot, a heart beat → confirmed; a change, a snapshot or a heart beat whose digest is wrong → not', async () => {
    await addPeer('east');
    start();
    const [snapshot, after] = [snapshotLines(makeRecord('db')), snapshotLines(makeRecord('db'), makeRecord('web'))];
    const digestIn = (lines: unknown[]): string => (lines.at(-1) as { digest: string }).digest;
    const reopen = (): void => {
      const before = opened.length;
      while (opened.length === before) clock.advance(REOPEN_MIN_MS);
    };
    hear(...snapshot);
    assert.equal(confirmed, 1);
    hear({ op: 'record', record: makeRecord('web') });
    opened.at(-1)?.onLine({ op: 'synced', digest: digestIn(snapshot), epoch: 'one' });
    assert.equal(confirmed, 1);
    reopen();
    hear(...after);
    assert.equal(confirmed, 2);
    opened.at(-1)?.onLine({ op: 'digest', digest: digestIn(after) });
    assert.equal(confirmed, 3);
    clock.advance(DIGEST_INTERVAL_MIN_MS);
    opened.at(-1)?.onLine({ op: 'digest', digest: digestIn(snapshot) });
    assert.equal(confirmed, 3);
  });

  it('one of many records changes → its object alone is written; somebody writes another one → that is undone', async () => {
    const applied: string[] = [];
    const plain = store;
    store = {
      ...plain,
      apply(object, options) {
        if (object.kind === 'PeerRecords') applied.push(object.metadata.name ?? '');
        return plain.apply(object, options);
      },
    };
    await addPeer('east');
    start();
    const records = Array.from({ length: 500 }, (_, index) => makeRecord(`s${index}`));
    hear(...snapshotLines(...records));
    await waitFor(
      'they are written',
      () => caches.PeerRecords.list().flatMap(({ spec }) => spec.records).length === 500,
    );
    const [, second] = caches.PeerRecords.list()
      .map(({ metadata }) => metadata?.name ?? '')
      .sort();
    assert.equal(second, 'east.1');
    applied.length = 0;
    const [moved] = stored(second)?.spec.records ?? [];
    assert.ok(moved !== undefined);
    opened.at(-1)?.onLine({ op: 'record', record: { ...moved.record, readyEndpoints: 7 } });
    await waitFor('it is written', () => stored(second)?.spec.records[0]?.record.readyEndpoints === 7);
    assert.deepEqual(applied, [second]);
    const spec = { peer: 'east', epoch: 'theirs', digest: '', records: [] };
    const theirs = { apiVersion: 'mcs.clusterlink.net/v1alpha1', kind: 'PeerRecords' } as const;
    await plain.apply({ ...theirs, metadata: { namespace: SYSTEM, name: second }, spec }, { ...user, force: true });
    await waitFor('it is undone', () => stored(second)?.spec.epoch === 'one' && stored(second)?.spec.records.length);
  });

  it('somebody deletes PeerRecords → they come back', async () => {
    await addPeer('east');
    start();
    hear(...snapshotLines(makeRecord('db')));
    await waitFor('they are written', () => storedNames()?.join() === 'db');
    await store.delete('PeerRecords', { namespace: SYSTEM, name: 'east' });
    await waitFor('they are back', () => storedNames()?.join() === 'db');
  });

  const condition = (type: string) =>
    findCondition(caches.Peer.get({ namespace: SYSTEM, name: 'east' })?.status?.conditions, type);
  const three = ['a', 'b', 'c'].map((name) => makeRecord(name));

  it('a peer says that it has nothing any more → everything stays, its Peer says so; the annotation of this hold → it goes', async () => {
    await addPeer('east');
    start();
    hear(...snapshotLines(...three));
    await waitFor('they are written', () => storedNames()?.length === 3);
    for (const { namespace, name } of three) opened.at(-1)?.onLine({ op: 'withdrawn', namespace, name });
    clock.advance(WITHDRAWAL_QUIET_MS);
    await waitFor('the Peer says so', () => condition('RecordsHeld')?.status === 'True');
    clock.advance(LOSS_HOLD_MS - 1_000);
    assert.equal(storedNames()?.length, 3);
    const since = stored()?.spec.records[0]?.heldSince ?? '';
    assert.match(condition('RecordsHeld')?.message ?? '', new RegExp(`^3 records .*${since}`));
    await addPeer('east', { [ANNOTATIONS.acceptLoss]: '2026-11-20T11:00:00Z' });
    assert.equal(storedNames()?.length, 3);
    await addPeer('east', { [ANNOTATIONS.acceptLoss]: since });
    await waitFor('they are let go', () => storedNames()?.length === 0);
    await waitFor('the Peer says so', () => condition('RecordsHeld')?.status === 'False');
  });

  it('another process begins while records are held → held as before; acceptLoss → let go', async () => {
    await addPeer('east');
    start();
    hear(...snapshotLines(...three));
    hear(...snapshotLines());
    clock.advance(ABSENCE_GRACE_MS);
    await waitFor('they are held', () => stored()?.spec.records.every(({ heldSince }) => heldSince !== undefined));
    const before = stored()?.spec.records;
    await exchange?.close();
    clock.advance(60_000);
    const again = start();
    hear(...snapshotLines());
    await waitFor('the Peer says so', () => condition('RecordsHeld')?.status === 'True');
    assert.deepEqual(stored()?.spec.records, before);
    assert.equal(again.acceptLoss('west'), undefined);
    assert.equal(again.acceptLoss('east')?.records, 3);
    assert.equal(again.acceptLoss('east'), undefined);
    await waitFor('they are let go', () => storedNames()?.length === 0);
  });

  it('two installations are connected → not heard at once; for long → the Peer says so; one is alone again → heard', async () => {
    await addPeer('east');
    const { setReachable } = start();
    hear(...snapshotLines(...three));
    await waitFor('they are written', () => storedNames()?.length === 3);
    const rounds = opened.length;
    setReachable('east', ['one', 'two']);
    opened.at(-1)?.onLine({ op: 'record', record: makeRecord('of-two') });
    clock.advance(DUPLICATE_OVERLAP_MS);
    await waitFor('the Peer says so', () => condition('DuplicatePeer')?.status === 'True');
    assert.match(condition('DuplicatePeer')?.message ?? '', /one and two/);
    setReachable('east', ['two']);
    clock.advance(DUPLICATE_QUIET_MS - 1);
    assert.deepEqual([storedNames(), opened.length], [['a', 'b', 'c'], rounds]);
    clock.advance(1);
    assert.equal(opened.length, rounds + 1);
    await waitFor('the Peer says so', () => condition('DuplicatePeer')?.status === 'False');
  });

  for (const [title, meanwhile] of [
    [
      'another process begins after their time',
      async () => {
        await exchange?.close();
        clock.advance(LOSS_HOLD_MS);
        start();
      },
    ],
    [
      'their time ends while two installations claim the name, and one is alone again',
      () => {
        exchange?.setReachable('east', ['one', 'two']);
        clock.advance(LOSS_HOLD_MS);
        exchange?.setReachable('east', ['one']);
        clock.advance(DUPLICATE_QUIET_MS);
      },
    ],
  ] as const) {
    it(`records are held, and ${title} → all are there until the peer is heard; it has them → as they were`, async () => {
      await addPeer('east');
      start();
      hear(...snapshotLines(...three));
      await waitFor('they are written', () => storedNames()?.length === 3);
      hear(...snapshotLines());
      clock.advance(ABSENCE_GRACE_MS);
      await waitFor('they are held', () => stored()?.spec.records.every(({ heldSince }) => heldSince !== undefined));
      let fewest = 3;
      const stop = caches.PeerRecords.onChange(() => (fewest = Math.min(fewest, storedNames()?.length ?? 0)));
      await meanwhile();
      clock.advance(RESUME_GRACE_MS - 1_000);
      // A write of what was let go would be done by now.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      hear(...snapshotLines(...three, makeRecord('d')));
      await waitFor('it is heard', () => storedNames()?.length === 4);
      stop();
      assert.equal(fewest, 3);
      assert.ok(stored()?.spec.records.every(({ heldSince }) => heldSince === undefined));
    });

    it(`records are held, ${title}, and the peer lacks them still → they go when it is heard, or after the grace time`, async () => {
      await addPeer('east');
      start();
      hear(...snapshotLines(...three));
      await waitFor('they are written', () => storedNames()?.length === 3);
      hear(...snapshotLines());
      clock.advance(ABSENCE_GRACE_MS);
      await waitFor('they are held', () => stored()?.spec.records.every(({ heldSince }) => heldSince !== undefined));
      await meanwhile();
      clock.advance(RESUME_GRACE_MS + 1);
      await waitFor('they are let go', () => storedNames()?.length === 0);
    });
  }

  it('a peer goes beyond a bound → refused, its Peer says so, what was known stays; it keeps to it → said no more', async () => {
    await addPeer('east');
    start();
    hear(...snapshotLines(...three));
    await waitFor('they are written', () => storedNames()?.length === 3);
    const spread = Array.from({ length: NAMESPACES_PER_PEER_MAX + 1 }, (_, index) =>
      makeRecord('db', { namespace: `n${index}` }),
    );
    hear(...snapshotLines(...spread));
    await waitFor('the Peer says so', () => condition('LimitNear')?.reason === 'LimitReached');
    assert.deepEqual(storedNames(), ['a', 'b', 'c']);
    clock.advance(REOPEN_MAX_MS);
    hear(...snapshotLines(...three, makeRecord('d')));
    await waitFor('said no more', () => condition('LimitNear')?.status === 'False');
  });

  it('a report → kept as far as the peer may see the exports; what it may see no longer is forgotten', async () => {
    await addPeer('east');
    const key = { namespace: 'shop', name: 'db' };
    const spec = { ports: [{ port: 5432 }] };
    await store.apply({ apiVersion: 'v1', kind: 'Service', metadata: key, spec }, user);
    await store.apply({ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: key }, user);
    const policy = { namespace: 'shop', name: 'all' };
    await store.apply(
      {
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'AccessPolicy',
        metadata: policy,
        spec: { action: 'allow', from: [{ workloadSelector: {} }], to: [{ workloadSelector: {} }] },
      },
      user,
    );
    await waitFor('the cache has the policy', () => caches.AccessPolicy.get(policy));
    const handlers = start().accept('east', { send: () => true, close: () => undefined });
    const secret = { namespace: 'shop', name: 'secret' };
    handlers.onLine({ op: 'report', conflicts: [], imports: [key, secret] });
    await waitFor('it is kept', () => stored()?.spec.report?.imports.length === 1);
    assert.deepEqual(stored()?.spec.report?.imports, [key]);
    await store.delete('AccessPolicy', policy);
    await waitFor('the cache has it not', () => caches.AccessPolicy.get(policy) === undefined);
    clock.advance(PUBLISH_DELAY_MS + 1);
    await waitFor('it is forgotten', () => stored()?.spec.report?.imports.length === 0);
  });
});
