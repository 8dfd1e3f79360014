/** Several replicas of one peer over one store: who listens, who writes, and what a change of the leader changes. */
import assert from 'node:assert/strict';
import type { ExportRecord } from '#src/api/record.ts';
import { digestOf, hashOf } from '#src/exchange/digest.ts';
import { startExchange, type Exchange } from '#src/exchange/exchange.ts';
import { PUBLISH_DELAY_MS } from '#src/exchange/limits.ts';
import type { ExchangeHandlers } from '#src/exchange/transport.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { closeCaches, COMMON_KINDS, openCaches, type Caches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import type { Store } from '#src/store/store.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeManualClock, makeRecord, SILENT_METRICS, type ManualClock } from './samples.ts';

const user = { fieldManager: 'tester' };
const SYSTEM = 'clusterlink-system';
const db = { namespace: 'shop', name: 'db' };
const web = { namespace: 'shop', name: 'web' };

function snapshotLines(...records: ExportRecord[]): unknown[] {
  const digest = digestOf(records.map((record) => ({ ...record, hash: hashOf(record) })));
  return [...records.map((record) => ({ op: 'record', record })), { op: 'synced', digest, epoch: 'one' }];
}

interface Replica {
  readonly name: string;
  readonly exchange: Exchange;
  readonly clock: ManualClock;
  readonly caches: Caches;
  /** Streams it has opened to east, the newest last. */
  readonly opened: (ExchangeHandlers & { onOpened(): void })[];
  readonly said: unknown[];
  /** Writes of PeerRecords since the last look. */
  writes: number;
}

describe('startExchange, several replicas', () => {
  let store: Store;
  let caches: Caches;
  let replicas: Replica[];
  /** Resolves writes of records one by one, if it is set. */
  let gate: Promise<void> | undefined;

  beforeEach(async () => {
    store = makeMemoryStore();
    caches = openCaches(store, COMMON_KINDS);
    replicas = [];
    gate = undefined;
    const metadata = { namespace: SYSTEM, name: 'east' };
    await store.apply({ apiVersion: 'clusterlink.net/v1alpha1', kind: 'Peer', metadata, spec: { gateways: [] } }, user);
    for (const key of [db, web]) {
      await store.apply({ apiVersion: 'v1', kind: 'Service', metadata: key, spec: { ports: [{ port: 5432 }] } }, user);
      await store.apply({ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: key }, user);
    }
    await allow('all', {});
  });
  afterEach(async () => {
    for (const { exchange, caches: own } of replicas) {
      await exchange.close();
      closeCaches(own);
    }
    closeCaches(caches);
    await store.close();
  });

  async function allow(name: string, matchLabels: Record<string, string>): Promise<void> {
    await store.apply(
      {
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'AccessPolicy',
        metadata: { namespace: 'shop', name },
        spec: { action: 'allow', from: [{ workloadSelector: {} }], to: [{ workloadSelector: { matchLabels } }] },
      },
      user,
    );
  }
  async function start(name: string, options: { leading?: boolean; skewMs?: number } = {}): Promise<Replica> {
    const own = openCaches(store, COMMON_KINDS);
    await Promise.all(Object.values(own).map(({ synced }) => synced));
    const clock = makeManualClock(Date.parse('2026-11-20T12:00:00Z') + (options.skewMs ?? 0));
    const replica: { -readonly [K in keyof Replica]?: Replica[K] } = {
      name,
      clock,
      caches: own,
      opened: [],
      said: [],
      writes: 0,
    };
    replica.exchange = startExchange({
      self: { name: 'west', labels: {} },
      epoch: 'here',
      store: {
        ...store,
        async apply(object, applyOptions) {
          replica.writes = (replica.writes ?? 0) + 1;
          await gate;
          return store.apply(object, applyOptions);
        },
      },
      caches: own,
      allowedNamespaces: [],
      leading: options.leading ?? false,
      clock,
      logger: makeSilentLogger(),
      metrics: SILENT_METRICS,
      open(_peer, handlers) {
        replica.opened?.push(handlers);
        return {
          send(line) {
            replica.said?.push(line);
            return true;
          },
          close: () => undefined,
        };
      },
    });
    clock.advance(PUBLISH_DELAY_MS + 1);
    replicas.push(replica as Replica);
    return replica as Replica;
  }
  function hear({ exchange, opened }: Replica, ...lines: unknown[]): void {
    exchange.setReachable('east', ['one']);
    opened.at(-1)?.onOpened();
    for (const line of lines) opened.at(-1)?.onLine(JSON.parse(JSON.stringify(line)));
  }
  function report({ exchange }: Replica, ...imports: { namespace: string; name: string }[]): void {
    const stream = exchange.accept('east', { send: () => true, close: () => undefined });
    stream.onLine({ op: 'report', conflicts: [], imports });
  }
  const stored = () => caches.PeerRecords.get({ namespace: SYSTEM, name: 'east' });
  const names = (): string =>
    stored()
      ?.spec.records.map(({ record }) => record.name)
      .join() ?? 'none';
  const reported = (): string =>
    stored()
      ?.spec.report?.imports.map(({ name }) => name)
      .join() ?? 'none';
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  };

  it('does not lead → answers peers, asks none, writes no records', async () => {
    const replica = await start('a');
    replica.exchange.setReachable('east', ['one']);
    const lines: unknown[] = [];
    const stream = replica.exchange.accept('east', { send: (line) => lines.push(line) > 0, close: () => undefined });
    stream.onLine({ op: 'watch', have: null });
    assert.equal((lines.at(-1) as { op: string }).op, 'synced');
    await settled();
    assert.deepEqual([replica.opened.length, replica.writes, stored()], [0, 0, undefined]);
  });

  it('another takes over → it begins with what is stored, says what it has, and withdraws nothing', async () => {
    const [a, b] = [await start('a', { leading: true }), await start('b')];
    hear(a, ...snapshotLines(makeRecord('db'), makeRecord('web')));
    await waitFor('they are stored', () => names() === 'db,web');
    await waitFor('b has them', () => b.caches.PeerRecords.list()[0]?.spec.records.length === 2);
    const version = stored()?.metadata?.resourceVersion;
    a.exchange.setLeading(false);
    b.exchange.setLeading(true);
    await settled();
    hear(b);
    const watch = b.said.find((line) => (line as { op: string }).op === 'watch') as { have: string | null };
    assert.equal(watch.have, stored()?.spec.digest);
    b.opened.at(-1)?.onLine({ op: 'unchanged' });
    await settled();
    assert.deepEqual([names(), stored()?.metadata?.resourceVersion, b.writes], ['db,web', version, 0]);
  });

  it('the peer is unreachable to the new leader → everything stays, nothing is written', async () => {
    const [a, b] = [await start('a', { leading: true }), await start('b')];
    hear(a, ...snapshotLines(makeRecord('db')));
    await waitFor('it is stored', () => names() === 'db');
    await a.exchange.close();
    b.exchange.setLeading(true);
    await settled();
    assert.deepEqual([names(), b.writes], ['db', 0]);
  });

  it('the last word of the old leader arrives after the takeover → it is taken over, not written over', async () => {
    const [a, b] = [await start('a', { leading: true }), await start('b')];
    hear(a, ...snapshotLines(makeRecord('db')));
    await waitFor('b has it', () => b.caches.PeerRecords.list()[0]?.spec.records.length === 1);
    b.exchange.setLeading(true);
    await settled();
    a.opened.at(-1)?.onLine({ op: 'record', record: makeRecord('web') });
    await waitFor('it is stored', () => names() === 'db,web');
    await settled();
    assert.deepEqual([names(), b.writes], ['db,web', 0]);
    hear(b);
    const watch = b.said.findLast((line) => (line as { op: string }).op === 'watch') as { have: string | null };
    const both = [makeRecord('db'), makeRecord('web')];
    assert.equal(watch.have, digestOf(both.map((record) => ({ ...record, hash: hashOf(record) }))));
  });

  it('the lease is lost → what the peer says from then on is not written', async () => {
    const a = await start('a', { leading: true });
    hear(a, ...snapshotLines(makeRecord('db')));
    await waitFor('it is stored', () => names() === 'db');
    a.opened.at(-1)?.onLine({ op: 'record', record: makeRecord('web') });
    a.exchange.setLeading(false);
    a.writes = 0;
    a.opened.at(-1)?.onLine({ op: 'withdrawn', ...db });
    await settled();
    assert.deepEqual([names(), a.writes], ['db', 0]);
  });

  it('the lease is lost between two objects of one peer → the second is not written', async () => {
    const a = await start('a', { leading: true });
    const { promise, resolve } = Promise.withResolvers<void>();
    const records = Array.from({ length: 2_000 }, (_, index) => makeRecord(`s${index}`));
    await waitFor('the first object is there', () => stored());
    gate = promise;
    a.writes = 0;
    hear(a, ...snapshotLines(...records));
    await waitFor('the first write is under way', () => a.writes === 1);
    a.exchange.setLeading(false);
    resolve();
    await settled();
    assert.equal(a.writes, 1);
  });

  it('lost and won again → it listens again, once', async () => {
    const a = await start('a', { leading: true });
    hear(a, ...snapshotLines(makeRecord('db')));
    await waitFor('it is stored', () => names() === 'db');
    a.exchange.setLeading(false);
    a.exchange.setLeading(true);
    await waitFor('it asks again', () => a.opened.length === 2);
    hear(a, ...snapshotLines(makeRecord('db'), makeRecord('web')));
    await waitFor('it writes again', () => names() === 'db,web');
  });

  it('a report to a replica that does not lead → stored beside the records; it stays when the leader changes', async () => {
    const [a, b] = [await start('a', { leading: true }), await start('b')];
    hear(a, ...snapshotLines(makeRecord('db')));
    await waitFor('they are stored', () => names() === 'db');
    report(b, db);
    await waitFor('it is stored', () => reported() === 'db');
    a.opened.at(-1)?.onLine({ op: 'record', record: makeRecord('web') });
    await waitFor('records go on', () => names() === 'db,web');
    assert.equal(reported(), 'db');
    await a.exchange.close();
    b.exchange.setLeading(true);
    hear(b, ...snapshotLines(makeRecord('db')));
    await settled();
    assert.equal(reported(), 'db');
  });

  it('a report before the leader has made the object → stored as soon as there is one', async () => {
    const b = await start('b');
    report(b, db);
    await settled();
    assert.equal(stored(), undefined);
    await start('a', { leading: true });
    await waitFor('it is stored', () => reported() === 'db');
  });

  for (const [what, skewMs] of [
    ['of one second', 0],
    ['though its clock is behind', -60_000],
    ['though its clock is ahead', 60_000],
  ] as const) {
    it(`the peer reports to one replica and then to another, ${what} → the later one stands, and nobody argues`, async () => {
      const [a, b] = [await start('a', { leading: true }), await start('b', { skewMs })];
      await waitFor('the object is there', () => stored());
      report(a, db);
      await waitFor('it is stored', () => reported() === 'db');
      await waitFor('b has it', () => b.caches.PeerRecords.list()[0]?.spec.report !== undefined);
      report(b, db, web);
      await waitFor('the later one is stored', () => reported() === 'db,web');
      await settled();
      const version = stored()?.metadata?.resourceVersion;
      for (const { clock } of replicas) clock.advance(60_000);
      await settled();
      assert.deepEqual([reported(), stored()?.metadata?.resourceVersion], ['db,web', version]);
    });
  }

  it('the same report to each replica → one write', async () => {
    const [, b] = [await start('a', { leading: true }), await start('b')];
    await waitFor('the object is there', () => stored());
    report(b, db);
    await waitFor('it is stored', () => reported() === 'db');
    const version = stored()?.metadata?.resourceVersion;
    for (const replica of replicas) {
      await waitFor('it has it', () => replica.caches.PeerRecords.list()[0]?.spec.report !== undefined);
      report(replica, db);
    }
    await settled();
    assert.equal(stored()?.metadata?.resourceVersion, version);
  });

  it('the peer may see less → what it may not see goes from its report, though the one who heard it is gone', async () => {
    const [a, b] = [await start('a', { leading: true }), await start('b')];
    await waitFor('the object is there', () => stored());
    report(b, db, web);
    await waitFor('it is stored', () => reported() === 'db,web');
    await b.exchange.close();
    await allow('one', { 'export.clusterlink.net/name': 'db' });
    await store.delete('AccessPolicy', { namespace: 'shop', name: 'all' });
    await waitFor('a knows', () => a.caches.AccessPolicy.list().length === 1);
    a.clock.advance(PUBLISH_DELAY_MS + 1);
    await waitFor('it is filtered', () => reported() === 'db');
  });
});
