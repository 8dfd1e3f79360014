/** Which changes wake the import controller: in a cluster most Services and EndpointSlices have nothing to do with imports. */
import assert from 'node:assert/strict';
import { formatKey } from '#src/api/object.ts';
import { LABELS, MANAGED_BY } from '#src/api/names.ts';
import { watchImports } from '#src/controllers/import/watches.ts';
import { makeClusterWorld, SYSTEM, type ClusterWorld } from './cluster-world.ts';

const user = { fieldManager: 'kubectl' };

describe('watchImports', () => {
  let world: ClusterWorld;
  let calls: number;
  let touched: string[];
  let madeHere: Set<string>;
  let stops: readonly (() => void)[];
  beforeEach(async () => {
    world = await makeClusterWorld();
    await world.settle();
    calls = 0;
    touched = [];
    madeHere = new Set();
    stops = watchImports(world.caches, {
      onChange: () => calls++,
      onTouched: (key) => touched.push(formatKey(key)),
      isMadeHere: (key) => madeHere.has(formatKey(key)),
    });
  });
  afterEach(async () => {
    stops.forEach((stop) => stop());
    await world.close();
  });

  const service = (namespace: string, name: string, port = 1) =>
    world.store.apply(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { namespace, name },
        spec: { clusterIP: 'None', ports: [{ port }] },
      },
      user,
    );
  const serviceExport = (namespace: string, name: string) =>
    world.store.apply(
      { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: { namespace, name } },
      user,
    );
  const slice = (namespace: string, serviceName: string) =>
    world.store.apply(
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { namespace, name: `${serviceName}-x`, labels: { 'kubernetes.io/service-name': serviceName } },
        addressType: 'IPv4',
        endpoints: [],
      },
      user,
    );
  const clusterlinkExport = (namespace: string, name: string, host: string) =>
    world.store.apply(
      {
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'Export',
        metadata: { namespace, name },
        spec: { host, port: 1 },
      },
      user,
    );
  /** How many times the change called back. */
  async function callsOf(change: () => Promise<unknown>): Promise<number> {
    await world.settle();
    const before = calls;
    await change();
    await world.settle();
    return calls - before;
  }

  it('a Service and its slices that nobody exports → no call', async () => {
    assert.equal(await callsOf(() => service('shop', 'db')), 0);
    assert.equal(await callsOf(() => slice('shop', 'db')), 0);
    const gone = () => world.store.delete('EndpointSlice', { namespace: 'shop', name: 'db-x' });
    assert.equal(await callsOf(gone), 0);
  });

  it('of an exported one → a call for each change, its end too', async () => {
    assert.equal(await callsOf(() => serviceExport('shop', 'db')), 1);
    assert.ok((await callsOf(() => service('shop', 'db'))) > 0);
    assert.equal(await callsOf(() => slice('shop', 'db')), 1);
    const gone = () => world.store.delete('EndpointSlice', { namespace: 'shop', name: 'db-x' });
    assert.equal(await callsOf(gone), 1);
  });

  it('a Service behind a ClusterLink Export, and its slices → a call', async () => {
    assert.equal(await callsOf(() => clusterlinkExport('shop', 'api', 'db.shop.svc')), 1);
    assert.ok((await callsOf(() => service('shop', 'db'))) > 0);
    assert.equal(await callsOf(() => slice('shop', 'db')), 1);
    assert.equal(await callsOf(() => service('shop', 'api')), 0);
  });

  it('a slice whose Service is no longer exported → one more call when it changes, then none', async () => {
    await serviceExport('shop', 'db');
    await slice('shop', 'db');
    await world.settle();
    await world.store.delete('ServiceExport', { namespace: 'shop', name: 'db' });
    const gone = () => world.store.delete('EndpointSlice', { namespace: 'shop', name: 'db-x' });
    assert.equal(await callsOf(gone), 1);
  });

  it('an Import → a call for its spec, its labels and its end; its status only touches it', async () => {
    const metadata = { namespace: 'store', name: 'cart' };
    const head = { apiVersion: 'clusterlink.net/v1alpha1', kind: 'Import' } as const;
    const write = (port: number, labels: Record<string, string> = {}) =>
      world.store.apply({ ...head, metadata: { ...metadata, labels }, spec: { port, sources: [] } }, user);
    assert.equal(await callsOf(() => write(80)), 1);
    assert.equal(await callsOf(() => write(81)), 1);
    assert.equal(await callsOf(() => write(81, { 'import.clusterlink.net/merge': 'true' })), 1);
    const status = { conditions: [] };
    assert.equal(await callsOf(() => world.store.applyStatus({ ...head, metadata, status }, user)), 0);
    assert.deepEqual(touched, ['store/cart']);
    assert.equal(await callsOf(() => world.store.delete('Import', metadata)), 1);
  });

  it('a derived Service, or a namespace → a call', async () => {
    assert.ok((await callsOf(() => service(SYSTEM, 'derived-0'))) > 0);
    assert.ok((await callsOf(() => world.namespace('later'))) > 0);
  });

  it('a ServiceImport that is made here → its import alone is touched; its end, or one of somebody else → a call', async () => {
    const metadata = { namespace: 'store', name: 'db' };
    const write = (labels: Record<string, string>) =>
      world.store.apply(
        {
          ...{ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceImport', metadata: { ...metadata, labels } },
          spec: { type: 'ClusterSetIP', ports: [] },
        },
        { ...user, force: true },
      );
    const ours = { [LABELS.managedBy]: MANAGED_BY };
    assert.equal(await callsOf(() => write(ours)), 1);
    madeHere.add('store/db');
    assert.equal(await callsOf(() => write({ ...ours, a: 'b' })), 0);
    assert.deepEqual(touched, ['store/db']);
    assert.equal(await callsOf(() => write({ a: 'b' })), 1);
    assert.equal(await callsOf(() => world.store.delete('ServiceImport', metadata)), 1);
    assert.deepEqual(touched, ['store/db']);
  });

  it('a binding → a call for what it asks for; for what gateways say of it its import alone is touched', async () => {
    const key = { namespace: SYSTEM, name: 'db.store' };
    const head = { apiVersion: 'mcs.clusterlink.net/v1alpha1', kind: 'ImportBinding' } as const;
    const spec = {
      ...{ import: { namespace: 'store', name: 'db' }, type: 'ClusterSetIP' as const },
      ...{ ips: [], ports: [], sources: [], owner: { kind: 'ClusterImportRule' as const, namespace: '', name: 'all' } },
    };
    assert.equal(await callsOf(() => world.store.apply({ ...head, metadata: key, spec }, user)), 1);
    touched.length = 0;
    const status = { sources: [], listeners: [] };
    assert.equal(await callsOf(() => world.store.applyStatus({ ...head, metadata: key, spec, status }, user)), 0);
    assert.deepEqual(touched, ['store/db']);
    assert.equal(await callsOf(() => world.store.delete('ImportBinding', key)), 1);
  });
});
