/** What one peer says must not hold up the imports of others: a refused object fails alone. */
import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import { makeAddressPool } from '#src/controllers/import/address-pool.ts';
import { makeImportController } from '#src/controllers/import/reconciler.ts';
import { closeCaches, COMMON_KINDS, openCaches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import type { Store } from '#src/store/store.ts';
import { waitFor } from '#test/support/wait.ts';

const user = { fieldManager: 'tester' };
const system = 'clusterlink-system';

describe('makeImportController', () => {
  it('one import that the store refuses → the others and the rule’s status are written, the run fails', async () => {
    const memory = makeMemoryStore();
    const store: Store = {
      ...memory,
      apply: (object, options) =>
        object.kind === 'ServiceImport' && object.metadata.name === 'bad'
          ? Promise.reject(new AppError('ERR_INVALID_OBJECT', 'ServiceImport store/bad: is not valid'))
          : memory.apply(object, options),
    };
    const caches = openCaches(store, COMMON_KINDS);
    const record = (name: string) => ({
      firstSeen: '2026-11-20T10:00:00Z',
      record: {
        ...{ namespace: 'shop', name, uid: `u-${name}`, type: 'ClusterSetIP' as const },
        ports: [{ name: 'pg', protocol: 'TCP' as const, port: 5432 }],
        ...{ ipFamilies: ['IPv4' as const], createdAt: '2026-11-20T10:00:00Z', readyEndpoints: 1 },
      },
    });
    await store.apply(
      {
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'Peer',
        metadata: { namespace: system, name: 'east' },
        spec: { gateways: [] },
      },
      user,
    );
    await store.apply(
      {
        apiVersion: 'mcs.clusterlink.net/v1alpha1',
        kind: 'PeerRecords',
        metadata: { namespace: system, name: 'east' },
        spec: { peer: 'east', epoch: '', digest: '', records: ['bad', 'db', 'web'].map(record) },
      },
      user,
    );
    await store.apply(
      {
        apiVersion: 'mcs.clusterlink.net/v1alpha1',
        kind: 'ClusterImportRule',
        metadata: { name: 'shop' },
        spec: {
          peers: { names: ['east'] },
          exports: { namespaces: ['shop'], names: ['bad', 'db', 'web'] },
          into: { namespace: 'store', name: '{name}' },
        },
      },
      user,
    );
    await waitFor('the cache has the rule', () => caches.ClusterImportRule.list().length === 1);
    const controller = makeImportController({
      self: { name: 'west', labels: {} },
      store,
      caches,
      clock: { nowMs: () => Date.parse('2026-11-20T12:00:00Z') },
      home: makeAddressPool({
        pool: '127.96.16.0/20',
        load: () => Promise.resolve({}),
        save: () => Promise.resolve(),
      }),
      allowedNamespaces: [],
    });
    await assert.rejects(controller.reconcile('all', new AbortController().signal), { code: 'ERR_INVALID_OBJECT' });
    const names = (await store.list('ServiceImport')).map(({ metadata }) => metadata?.name);
    assert.deepEqual(names.sort(), ['db', 'web']);
    const [rule] = await store.list('ClusterImportRule');
    assert.equal(rule?.status?.matched, 3);
    closeCaches(caches);
    await memory.close();
  });
});
