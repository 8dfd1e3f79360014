import assert from 'node:assert/strict';
import type { KubeObject } from '#src/api/object.ts';
import { makeDiscovery } from '#src/store/kubernetes/discovery.ts';
import { makeFeed, type Feed } from '#src/store/kubernetes/feed.ts';
import { DISCOVERY_LIFE_MS, RELIST_MAX_MS, SNAPSHOT_PATIENCE_MS } from '#src/store/kubernetes/limits.ts';
import { receive, type Received } from '#src/store/kubernetes/received.ts';
import type { Snapshots } from '#src/store/kubernetes/snapshots.ts';
import type { AnyObserver } from '#src/store/watchers.ts';
import {
  exportOf,
  makeManualClock,
  makeScriptedServer,
  pageOf,
  settle,
  statusOf,
  unreachable,
} from './scripted-server.ts';

const SERVED = { status: 200, body: { resources: [{ name: 'serviceexports' }] } };
let feed: Feed | undefined;

function make({ namespace, snapshots }: { namespace?: string; snapshots?: Snapshots } = {}) {
  const server = makeScriptedServer();
  const clock = makeManualClock();
  const warnings: object[] = [];
  feed = makeFeed({
    kind: 'ServiceExport',
    namespace,
    selector: undefined,
    transport: server,
    discovery: makeDiscovery({ transport: server, clock }),
    clock,
    random: () => 0.5,
    logger: { info: () => undefined, warn: (fields) => warnings.push(fields) },
    onEvent: () => undefined,
    snapshots,
  });
  return { server, clock, feed, warnings };
}

function observer() {
  const told: string[] = [];
  const name = ({ metadata }: KubeObject): string => `${metadata?.name}@${metadata?.resourceVersion}`;
  const calls: AnyObserver = {
    synced: (objects) => told.push(`synced ${objects.map(name).join(' ')}`.trim()),
    changed: (object) => told.push(`changed ${name(object)}`),
    deleted: (object) => told.push(`deleted ${name(object)}`),
  };
  return { told, ...calls };
}

function savedOf(...objects: readonly unknown[]): Snapshots & { readonly saves: number } {
  let saves = 0;
  return {
    load: () => Promise.resolve(objects.map((object) => receive('ServiceExport', object) as Received)),
    changed: () => void (saves += 1),
    close: () => Promise.resolve(),
    get saves() {
      return saves;
    },
  };
}

describe('makeFeed', () => {
  afterEach(() => feed?.close());

  it('two observers, one late → one list, one watch; each is told everything first', async () => {
    const { server, feed } = make();
    server.answer(SERVED, pageOf(5, [exportOf('a', { version: 1 })]));
    const [one, two] = [observer(), observer()];
    feed.add(one);
    await settle();
    await server.watch().event('ADDED', exportOf('b', { version: 6 }));
    feed.add(two);
    await settle();
    await server.watch().event('DELETED', exportOf('a', { version: 7 }));
    assert.deepEqual(one.told, ['synced a@1', 'changed b@6', 'deleted a@7']);
    assert.deepEqual(two.told, ['synced a@1 b@6', 'deleted a@7']);
    assert.equal(server.watches.length, 1);
  });

  it('one closes while another has just come → the other is told; the last one ends the watch', async () => {
    const { server, clock, feed } = make();
    server.answer(SERVED, pageOf(5, []));
    const [one, two] = [observer(), observer()];
    const first = feed.add(one);
    await settle();
    const second = feed.add(two);
    first.close();
    await settle();
    assert.deepEqual([two.told, server.watch().isAborted], [['synced'], false]);
    second.close();
    second.close();
    await settle();
    assert.deepEqual([server.watch().isAborted, clock.timers, feed.known()], [true, 0, undefined]);
  });

  it('closed before its first call → never told, and nothing runs on', async () => {
    const { server, clock, feed } = make();
    server.answer(SERVED, pageOf(5, []));
    const one = observer();
    feed.add(one).close();
    await settle();
    assert.deepEqual([one.told, clock.timers], [[], 0]);
  });

  it('the same name with another uid, in a list and in an event → told as deleted and there again', async () => {
    const { server, clock, feed } = make();
    server.answer(
      SERVED,
      pageOf(5, [exportOf('a', { version: 1 })]),
      pageOf(8, [exportOf('a', { version: 7, uid: 'x' })]),
    );
    const one = observer();
    feed.add(one);
    await settle();
    await server.watch().event('ERROR', statusOf(410, 'Expired').body);
    await clock.advance(1_000);
    await server.watch().event('MODIFIED', exportOf('a', { version: 9, uid: 'y' }));
    assert.deepEqual(one.told, ['synced a@1', 'deleted a@1', 'synced a@7', 'deleted a@7', 'changed a@9']);
  });

  it('an observer that throws → the others are told, the watch goes on; the fault is uncaught', async () => {
    const { server, feed } = make();
    server.answer(SERVED, pageOf(5, []));
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const faults: unknown[] = [];
    process.once('uncaughtException', (fault) => faults.push(fault));
    try {
      feed.add({ ...observer(), changed: () => assert.fail('broken') });
      const two = observer();
      feed.add(two);
      await settle();
      await server.watch().event('ADDED', exportOf('b', { version: 6 }));
      assert.deepEqual([two.told, faults.length], [['synced', 'changed b@6'], 1]);
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });

  it('a namespace of its own → only that is listed and watched', async () => {
    const { server, feed } = make({ namespace: 'clusterlink-system' });
    server.answer(SERVED, pageOf(5, []));
    feed.add(observer());
    await settle();
    assert.match(server.requests.at(-1) ?? '', /\/v1beta1\/namespaces\/clusterlink-system\/serviceexports\?/);
    assert.match(server.watch().path, /\/namespaces\/clusterlink-system\/serviceexports$/);
  });

  it('v1beta1 appears → used within the life of an answer, nothing deleted; nothing happens while it stays', async () => {
    const { server, clock, feed } = make();
    server.answer({ status: 404 }, SERVED, pageOf(5, [exportOf('a', { version: 1 })]));
    const one = observer();
    feed.add(one);
    await settle();
    assert.match(server.watch().path, /v1alpha1/);
    server.answer(SERVED, pageOf(6, [exportOf('a', { version: 1 })]));
    await clock.advance(DISCOVERY_LIFE_MS);
    assert.match(server.watch().path, /v1beta1/);
    const watches = server.watches.length;
    server.answer(SERVED);
    await clock.advance(2 * DISCOVERY_LIFE_MS);
    assert.deepEqual([server.watches.length, one.told], [watches, ['synced a@1', 'synced a@1']]);
  });

  it('the server refuses → one warning and a problem with the rule to add, gone when it works', async () => {
    const { server, clock, feed, warnings } = make();
    server.answer(SERVED, statusOf(403, 'Forbidden', { message: 'User "x" cannot list' }));
    feed.add(observer());
    await clock.advance(5 * RELIST_MAX_MS);
    const { reason, fix = '', message = '' } = feed.problem() ?? {};
    assert.equal(reason, 'forbidden');
    assert.match(message, /cannot list/);
    assert.match(fix, /resources: \["serviceexports"\], verbs: \["list", "watch"\]/);
    assert.equal(warnings.length, 1);
    server.answer(pageOf(5, []));
    await clock.advance(RELIST_MAX_MS);
    assert.equal(feed.problem(), undefined);
  });

  it('no list in time → the saved state, with which no write is compared; the list replaces it', async () => {
    const saved = savedOf(exportOf('a', { version: 1 }), exportOf('b', { version: 2 }));
    const { server, clock, feed } = make({ snapshots: saved });
    server.answer(unreachable());
    const one = observer();
    feed.add(one);
    await clock.advance(SNAPSHOT_PATIENCE_MS - 1);
    assert.deepEqual(one.told, []);
    await clock.advance(1);
    assert.deepEqual(one.told, ['synced a@1 b@2']);
    assert.equal(feed.known()?.hasSynced, false);
    const late = observer();
    feed.add(late);
    await settle();
    assert.deepEqual([late.told, saved.saves], [['synced a@1 b@2'], 0]);
    server.answer(SERVED, pageOf(9, [exportOf('b', { version: 2 })]));
    await clock.advance(RELIST_MAX_MS);
    assert.deepEqual(one.told.slice(1), ['synced b@2']);
    assert.deepEqual([feed.known()?.hasSynced, saved.saves], [true, 1]);
  });

  it('a list in time → the saved state is not read', async () => {
    const { server, clock, feed } = make({ snapshots: savedOf(exportOf('old', { version: 1 })) });
    server.answer(SERVED, pageOf(5, []));
    const one = observer();
    feed.add(one);
    await clock.advance(2 * SNAPSHOT_PATIENCE_MS);
    assert.deepEqual(one.told, ['synced']);
  });
});
