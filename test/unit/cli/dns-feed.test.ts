import assert from 'node:assert/strict';
import type { Applied } from '#src/api/applied.ts';
import { SYSTEM_NAMESPACE } from '#src/api/names.ts';
import { startDnsFeed, type DnsFeed } from '#src/cli/run/dns-feed.ts';
import type { ZoneChange, ZoneSnapshot } from '#src/dns/snapshot.ts';
import { closeCaches, openCaches, type CachesOf } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import { waitFor } from '#test/support/wait.ts';

function binding(name: string, port: number): Applied<'ImportBinding'> {
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ImportBinding',
    metadata: { namespace: SYSTEM_NAMESPACE, name: `${name}.store` },
    spec: {
      import: { namespace: 'store', name },
      owner: { kind: 'ClusterImportRule', name: 'r' },
      type: 'ClusterSetIP',
      ips: ['10.96.0.1'],
      ports: [{ name: '', protocol: 'TCP', port, targetPort: 20_001 }],
      sources: [],
    },
  };
}

describe('startDnsFeed', () => {
  const store = makeMemoryStore();
  const user = { fieldManager: 'tester' };
  const snapshots: ZoneSnapshot[] = [];
  const changes: ZoneChange[] = [];
  let caches: CachesOf<'ImportBinding'>;
  let feed: DnsFeed;
  before(async () => {
    caches = openCaches(store, ['ImportBinding']);
    for (const name of ['db', 'api']) await store.apply(binding(name, 80), user);
    await waitFor('both are there', () => caches.ImportBinding.list().length === 2);
    feed = startDnsFeed({
      caches,
      zones: ['clusterset.local'],
      apply: (snapshot) => snapshots.push(snapshot),
      change: (change) => changes.push(change),
    });
  });
  after(() => {
    feed.stop();
    closeCaches(caches);
  });

  it('at its start → what there is, in order of names', () => {
    assert.deepEqual(
      snapshots.map(({ version, services }) => [version, ...services.map(({ name }) => name)]),
      [[1, 'api', 'db']],
    );
  });

  it('a word of a gateway, then another port → one change, of what differs', async () => {
    const { apiVersion, kind, metadata } = binding('db', 80);
    const status = { gateways: [{ name: 'gateway-0', listening: [20_001], sources: [] }] };
    await store.applyStatus({ apiVersion, kind, metadata, status }, { fieldManager: 'gateway-0' });
    await waitFor('the word is there', () =>
      caches.ImportBinding.list().some((each) => each.status?.gateways?.length === 1),
    );
    await store.apply(binding('api', 81), user);
    await waitFor('the port is sent', () => changes.length > 0);
    assert.deepEqual(
      changes.map(({ version, services, gone }) => [
        version,
        services.map(({ name, ports }) => [name, ports[0]?.port]),
        gone,
      ]),
      [[2, [['api', 81]], []]],
    );
  });

  it('a binding goes, another has an alias → both in a change', async () => {
    changes.length = 0;
    await store.delete('ImportBinding', { namespace: SYSTEM_NAMESPACE, name: 'db.store' });
    const { spec, ...rest } = binding('api', 81);
    await store.apply({ ...rest, spec: { ...spec, aliases: ['api.corp.example'] } } as Applied<'ImportBinding'>, user);
    await waitFor('both are sent', () => changes.flatMap(({ services, gone }) => [...services, ...gone]).length === 2);
    assert.deepEqual(
      changes.flatMap(({ gone }) => gone),
      [{ namespace: 'store', name: 'db' }],
    );
    assert.deepEqual(
      changes.flatMap(({ services }) => services.map(({ aliases }) => aliases)),
      [['api.corp.example']],
    );
    assert.equal(snapshots.length, 1);
  });
});
