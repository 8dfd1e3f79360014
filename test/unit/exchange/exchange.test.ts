import assert from 'node:assert/strict';
import type { ExportRecord } from '#src/api/record.ts';
import { digestOf, hashOf } from '#src/exchange/digest.ts';
import { startExchange, type Exchange } from '#src/exchange/exchange.ts';
import { PUBLISH_DELAY_MS, REOPEN_MAX_MS, REOPEN_MIN_MS } from '#src/exchange/limits.ts';
import type { ExchangeHandlers } from '#src/exchange/transport.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { closeCaches, COMMON_KINDS, openCaches, type Caches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import type { Store } from '#src/store/store.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeManualClock, makeRecord, type ManualClock } from './samples.ts';

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

  beforeEach(() => {
    store = makeMemoryStore();
    caches = openCaches(store, COMMON_KINDS);
    clock = makeManualClock();
    opened = [];
    sent = [];
  });
  afterEach(async () => {
    await exchange?.close();
    exchange = undefined;
    closeCaches(caches);
    await store.close();
  });

  async function addPeer(name: string): Promise<void> {
    const spec = { gateways: [] };
    await store.apply(
      { apiVersion: 'clusterlink.net/v1alpha1', kind: 'Peer', metadata: { namespace: SYSTEM, name }, spec },
      user,
    );
    await waitFor('the cache has it', () => caches.Peer.get({ namespace: SYSTEM, name }));
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
    exchange?.setReachable('east', true);
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

  it('the Peer object goes → its records go; it comes back → they are asked for again', async () => {
    await addPeer('east');
    start();
    hear(...snapshotLines(makeRecord('db')));
    await waitFor('they are written', () => storedNames()?.join() === 'db');
    await removePeer('east');
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

  it('PeerRecords of a peer that is none any more → removed at the start', async () => {
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
    await waitFor('they are gone', () => stored() === undefined);
  });

  it('somebody deletes PeerRecords → they come back', async () => {
    await addPeer('east');
    start();
    hear(...snapshotLines(makeRecord('db')));
    await waitFor('they are written', () => storedNames()?.join() === 'db');
    await store.delete('PeerRecords', { namespace: SYSTEM, name: 'east' });
    await waitFor('they are back', () => storedNames()?.join() === 'db');
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
