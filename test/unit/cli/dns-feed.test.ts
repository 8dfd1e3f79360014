import assert from 'node:assert/strict';
import type { Applied } from '#src/api/applied.ts';
import { SYSTEM_NAMESPACE } from '#src/api/names.ts';
import { startDnsFeed, type DnsFeed } from '#src/cli/run/dns-feed.ts';
import type { ZoneSnapshot } from '#src/dns/snapshot.ts';
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
  const sent: ZoneSnapshot[] = [];
  let caches: CachesOf<'ImportBinding'>;
  let feed: DnsFeed;
  const ports = (): (number | undefined)[] => sent.at(-1)?.services.map((service) => service.ports[0]?.port) ?? [];

  before(async () => {
    caches = openCaches(store, ['ImportBinding']);
    for (const name of ['db', 'api']) await store.apply(binding(name, 80), user);
    await waitFor('both are there', () => caches.ImportBinding.list().length === 2);
    feed = startDnsFeed({ caches, zones: ['clusterset.local'], send: (snapshot) => sent.push(snapshot) });
  });
  after(() => {
    feed.stop();
    closeCaches(caches);
  });

  it('at its start → what there is, in order of names', () => {
    assert.deepEqual(
      sent.map(({ version, services }) => [version, ...services.map(({ name }) => name)]),
      [[1, 'api', 'db']],
    );
  });

  it('a word of a gateway, then another port → one snapshot, in which what did not change is the same object', async () => {
    const { apiVersion, kind, metadata } = binding('db', 80);
    const status = { gateways: [{ name: 'gateway-0', listening: [20_001], sources: [] }] };
    await store.applyStatus({ apiVersion, kind, metadata, status }, { fieldManager: 'gateway-0' });
    await waitFor('the word is there', () =>
      caches.ImportBinding.list().some((each) => each.status?.gateways?.length === 1),
    );
    await store.apply(binding('api', 81), user);
    await waitFor('the port is sent', () => ports()[0] === 81);
    assert.deepEqual(
      sent.map(({ version }) => version),
      [1, 2],
    );
    assert.equal(sent[1]?.services[1], sent[0]?.services[1]);
    assert.notEqual(sent[1]?.services[0], sent[0]?.services[0]);
  });
});
