import { setTimeout as sleep } from 'node:timers/promises';
/** The import controller on a memory store: rules and records in; bindings, ServiceImports and statuses out. */
import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import type { ExportRecord } from '#src/api/record.ts';
import { makeAddressPool } from '#src/controllers/import/address-pool.ts';
import { makeImportController } from '#src/controllers/import/reconciler.ts';
import { closeCaches, COMMON_KINDS, openCaches, type Caches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import type { Applied } from '#src/api/applied.ts';
import type { Store } from '#src/store/store.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeRecord } from '../exchange/samples.ts';

const user = { fieldManager: 'tester' };
const isImportStatus = (write: string): boolean => write === 'status ServiceImport';

async function makeWorld({ firstStatusDelayMs = 0 } = {}) {
  const store: Store = makeMemoryStore({ nowMs: () => Date.parse('2026-11-20T12:00:00Z') });
  const caches: Caches = openCaches(store, COMMON_KINDS);
  let remembered: Readonly<Record<string, string>> = {};
  const writes: string[] = [];
  const counting: Store = {
    ...store,
    async apply(object, options) {
      const before = await store.get(object.kind, {
        namespace: object.metadata.namespace ?? '',
        name: object.metadata.name ?? '',
      });
      const after = await store.apply(object, options);
      if (before?.metadata?.resourceVersion !== after.metadata?.resourceVersion) writes.push(`apply ${object.kind}`);
      return after;
    },
    async applyStatus(object, options) {
      const before = await store.get(object.kind, {
        namespace: object.metadata.namespace ?? '',
        name: object.metadata.name ?? '',
      });
      const after = await store.applyStatus(object, options);
      if (before?.metadata?.resourceVersion !== after.metadata?.resourceVersion) writes.push(`status ${object.kind}`);
      return after;
    },
    async delete(kind, key, options) {
      writes.push(`delete ${kind}`);
      return store.delete(kind, key, options);
    },
  };
  const controller = makeImportController({
    self: { name: 'west', labels: {} },
    store: counting,
    caches,
    clock: { nowMs: () => Date.parse('2026-11-20T12:00:00Z') },
    firstStatusDelayMs,
    allowedNamespaces: [],
    home: makeAddressPool({
      pool: '127.96.16.0/24',
      load: () => Promise.resolve(remembered),
      save: (next) => {
        remembered = next;
        return Promise.resolve();
      },
    }),
  });
  await store.apply(
    {
      apiVersion: 'clusterlink.net/v1alpha1',
      kind: 'Peer',
      metadata: { namespace: 'clusterlink-system', name: 'east' },
      spec: { gateways: [] },
    },
    user,
  );
  const settle = async (): Promise<void> => {
    // Memory watches arrive on later turns; the caches have to have seen what was written.
    const inStore =
      (await store.list('ImportBinding')).length +
      (await store.list('ServiceImport')).length +
      (await store.list('PeerRecords')).length +
      (await store.list('ClusterImportRule')).length;
    await waitFor(
      'the caches follow',
      () =>
        caches.ImportBinding.list().length +
          caches.ServiceImport.list().length +
          caches.PeerRecords.list().length +
          caches.ClusterImportRule.list().length ===
          inStore && caches.Peer.list().length === 1,
    );
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    store,
    caches,
    writes,
    settle,
    async reconcile() {
      await settle();
      await controller.reconcile('all', new AbortController().signal);
      await settle();
    },
    async say(...records: ExportRecord[]) {
      const spec = {
        peer: 'east',
        epoch: 'one',
        digest: 'd',
        records: records.map((record) => ({ record, firstSeen: '2026-11-20T11:00:00Z' })),
      };
      await store.apply(
        {
          apiVersion: 'mcs.clusterlink.net/v1alpha1',
          kind: 'PeerRecords',
          metadata: { namespace: 'clusterlink-system', name: 'east' },
          spec,
        },
        user,
      );
    },
    async rule(spec: Partial<NonNullable<Applied<'ClusterImportRule'>['spec']>> = {}) {
      await store.apply(
        {
          apiVersion: 'mcs.clusterlink.net/v1alpha1',
          kind: 'ClusterImportRule',
          metadata: { name: 'shop' },
          spec: {
            peers: { names: ['east'] },
            exports: { namespaces: ['shop'] },
            into: { namespace: 'store' },
            ...spec,
          },
        },
        user,
      );
    },
    close: () => closeCaches(caches),
  };
}

describe('makeImportController', () => {
  let world: Awaited<ReturnType<typeof makeWorld>>;
  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(async () => {
    world.close();
    await world.store.close();
  });

  it('a rule and a record → ServiceImport with address and families at once, binding, clusters, rule status (IMP-02, IMP-22, IMP-26)', async () => {
    await world.rule();
    await world.say(makeRecord('db'));
    await world.reconcile();
    const imported = world.caches.ServiceImport.get({ namespace: 'store', name: 'db' });
    assert.equal(imported?.spec?.type, 'ClusterSetIP');
    assert.equal(imported.spec.ips?.length, 1);
    assert.deepEqual(imported.spec.ipFamilies, ['IPv4']);
    assert.deepEqual(
      imported.spec.ports.map(({ port, protocol }) => [port, protocol]),
      [[5432, 'TCP']],
    );
    assert.deepEqual(imported.status?.clusters, [{ cluster: 'east' }]);
    assert.equal(findCondition(imported.status.conditions, 'Ready')?.status, 'Unknown');
    const binding = world.caches.ImportBinding.get({ namespace: 'clusterlink-system', name: 'db.store' });
    assert.deepEqual(
      binding?.spec.sources.map(({ peer, namespace, name }) => [peer, namespace, name]),
      [['east', 'shop', 'db']],
    );
    const rule = world.caches.ClusterImportRule.get({ namespace: '', name: 'shop' });
    assert.deepEqual(rule?.status?.imported, [{ source: 'east/shop/db', as: 'store/db' }]);
  });

  it('a gateway that answers soon → one status, of what it says; one that does not → a status that says so', async () => {
    for (const [delayMs, ready, count] of [
      [60_000, 'True', 1],
      [30, 'Unknown', 1],
    ] as const) {
      const other = await makeWorld({ firstStatusDelayMs: delayMs });
      await other.rule();
      await other.say(makeRecord('db'));
      await other.reconcile();
      assert.deepEqual(other.writes.filter(isImportStatus), []);
      const [binding] = other.caches.ImportBinding.list();
      assert.ok(binding !== undefined);
      if (ready === 'True') {
        const sources = [{ peer: 'east', namespace: 'shop', name: 'db', usable: true }];
        const status = { sources, listeners: [] };
        const { apiVersion, kind, metadata } = binding;
        const said = { apiVersion, kind, metadata: { namespace: metadata?.namespace, name: metadata?.name }, status };
        await other.store.applyStatus(said as Applied<'ImportBinding'>, { fieldManager: 'gateway' });
      } else await sleep(delayMs + 10);
      for (let times = 0; times < 3; times++) await other.reconcile();
      const { status } = other.caches.ServiceImport.list()[0] ?? {};
      assert.equal(findCondition(status?.conditions, 'Ready')?.status, ready);
      assert.equal(other.writes.filter(isImportStatus).length, count);
      other.close();
      await other.store.close();
    }
  });

  it('a second run without a change → writes nothing', async () => {
    await world.rule();
    await world.say(makeRecord('db'), makeRecord('web'));
    await world.reconcile();
    assert.notEqual(world.writes.length, 0);
    world.writes.length = 0;
    await world.reconcile();
    assert.deepEqual(world.writes, []);
  });

  it('no rule → nothing is imported, whatever peers say (NSS-04)', async () => {
    await world.say(makeRecord('db'));
    await world.reconcile();
    assert.deepEqual(world.caches.ServiceImport.list(), []);
  });

  it('a peer without a Peer object → what it said before counts no more', async () => {
    await world.rule();
    await world.say(makeRecord('db'));
    await world.reconcile();
    await world.store.delete('Peer', { namespace: 'clusterlink-system', name: 'east' });
    await waitFor('the cache follows', () => world.caches.Peer.list().length === 0);
    await makeAndRun(world);
    assert.deepEqual(await world.store.list('ServiceImport'), []);
  });

  it('the record goes → the import goes; it comes back → the same address (IMP-05, IMP-07)', async () => {
    await world.rule();
    await world.say(makeRecord('db'));
    await world.reconcile();
    const before = world.caches.ServiceImport.get({ namespace: 'store', name: 'db' })?.spec?.ips;
    await world.say(makeRecord('web'));
    await world.reconcile();
    assert.equal(await world.store.get('ServiceImport', { namespace: 'store', name: 'db' }), undefined);
    assert.equal(
      await world.store.get('ImportBinding', { namespace: 'clusterlink-system', name: 'db.store' }),
      undefined,
    );
    await world.say(makeRecord('db'), makeRecord('web'));
    await world.reconcile();
    assert.deepEqual(world.caches.ServiceImport.get({ namespace: 'store', name: 'db' })?.spec?.ips, before);
  });

  it('a hand-deleted ServiceImport → made again with its address; one of somebody else’s → left alone, NameTaken (IMP-07, IMP-08)', async () => {
    await world.rule();
    await world.say(makeRecord('db'), makeRecord('web'));
    const foreign: Applied<'ServiceImport'> = {
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceImport',
      metadata: { namespace: 'store', name: 'web' },
      spec: { type: 'ClusterSetIP', ports: [{ port: 1 }] },
    };
    await world.store.apply(foreign, user);
    await world.reconcile();
    assert.deepEqual((await world.store.get('ServiceImport', { namespace: 'store', name: 'web' }))?.spec, foreign.spec);
    const rule = await world.store.get('ClusterImportRule', { namespace: '', name: 'shop' });
    assert.deepEqual(
      rule?.status?.skipped?.map(({ source, reason }) => [source, reason]),
      [['east/shop/web', 'NameTaken']],
    );
    const ips = (await world.store.get('ServiceImport', { namespace: 'store', name: 'db' }))?.spec?.ips;
    await world.store.delete('ServiceImport', { namespace: 'store', name: 'db' });
    await world.reconcile();
    assert.deepEqual((await world.store.get('ServiceImport', { namespace: 'store', name: 'db' }))?.spec?.ips, ips);
  });

  const readiness = [
    { name: 'a usable source', sources: [{ usable: true }], want: ['True', 'Ready'] },
    {
      name: 'no usable source',
      sources: [{ usable: false, reason: 'PEER_UNREACHABLE' }],
      want: ['False', 'NoUsableSource'],
    },
  ];
  for (const { name, sources, want } of readiness) {
    it(`${name}, as the gateway sees it → Ready=${want.join(' ')} (DESIGN §3.9)`, async () => {
      await world.rule();
      await world.say(makeRecord('db'));
      await world.reconcile();
      const status = {
        sources: sources.map((source) => ({ peer: 'east', namespace: 'shop', name: 'db', ...source })),
        listeners: [],
      };
      await world.store.applyStatus(
        {
          apiVersion: 'mcs.clusterlink.net/v1alpha1',
          kind: 'ImportBinding',
          metadata: { namespace: 'clusterlink-system', name: 'db.store' },
          status,
        },
        { fieldManager: 'gateway' },
      );
      await world.reconcile();
      const object = await world.store.get('ServiceImport', { namespace: 'store', name: 'db' });
      const ready = findCondition(object?.status?.conditions, 'Ready');
      assert.deepEqual([ready?.status, ready?.reason], want);
    });
  }
});

/** Reconciles without waiting for the Peer that has gone. */
async function makeAndRun(world: Awaited<ReturnType<typeof makeWorld>>): Promise<void> {
  const controller = makeImportController({
    self: { name: 'west', labels: {} },
    store: world.store,
    caches: world.caches,
    clock: { nowMs: () => 0 },
    allowedNamespaces: [],
    home: makeAddressPool({
      pool: '127.96.16.0/24',
      load: () => Promise.resolve({}),
      save: () => Promise.resolve(),
    }),
  });
  await controller.reconcile('all', new AbortController().signal);
}
