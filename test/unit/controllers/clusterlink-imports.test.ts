/** ClusterLink's Imports in a cluster in memory: what is made of them, what is said, and that it heals. */
import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import type { IImport } from '#src/api/generated/Import.ts';
import { derivedServiceName } from '#src/controllers/derived-service/name.ts';
import { LABELS } from '#src/api/names.ts';
import { makeRecord } from '../exchange/samples.ts';
import { makeClusterWorld, SYSTEM, type ClusterWorld } from './cluster-world.ts';

const user = { fieldManager: 'kubectl', force: true };
const KEY = { namespace: 'store', name: 'cart' };
const MERGE = 'import.clusterlink.net/merge';
const WEST = { peer: 'east', exportName: 'db', exportNamespace: 'shop' };

describe('makeImportController: Import of ClusterLink', () => {
  let world: ClusterWorld;
  beforeEach(async () => {
    world = await makeClusterWorld();
    await world.say('east', makeRecord('db'));
  });
  afterEach(() => world.close());

  const write = (spec: Partial<IImport['spec']> = {}, { labels = {}, key = KEY } = {}) =>
    world.store.apply(
      {
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'Import',
        metadata: { ...key, labels },
        spec: { port: 80, sources: [WEST], ...spec },
      },
      user,
    );
  const ownService = (ports = [{ name: 'http', port: 8080 }]) =>
    world.store.apply({ apiVersion: 'v1', kind: 'Service', metadata: KEY, spec: { ports } }, user);
  const condition = async (type: string, key = KEY): Promise<string> => {
    const found = findCondition((await world.store.get('Import', key))?.status?.conditions, type);
    return `${found?.status} ${found?.reason} ${found?.message}`.trim();
  };
  const slicesOf = async (service: string) =>
    (await world.store.list('EndpointSlice')).filter(
      ({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === service,
    );
  const withGateway = async (): Promise<void> => {
    await world.gateway('gw-a', { ip: '10.244.0.9' });
    const targetPorts = await world.targetPorts('store/cart');
    await world.observe('store/cart', { 'gw-a': targetPorts.map((port) => port ?? 0) });
    await world.reconcile();
  };

  it('an Import → binding, derived Service and Service of its name, no ServiceImport, conditions; again → nothing written', async () => {
    await write({ lbScheme: 'static' }, { labels: { tier: 'gold' } });
    await world.reconcile();
    await withGateway();
    const binding = await world.store.get('ImportBinding', { namespace: SYSTEM, name: 'cart.store' });
    assert.deepEqual(binding?.spec.owner, { kind: 'Import', ...KEY });
    assert.deepEqual(binding.spec.loadBalancing, { scheme: 'Static', localFirst: false });
    assert.deepEqual(binding.spec.labels, { tier: 'gold' });
    assert.deepEqual(binding.spec.sources[0]?.ports, [{ name: '', protocol: 'TCP', port: 5432 }]);
    assert.equal(await world.serviceImport('store/cart'), undefined);
    const service = await world.store.get('Service', KEY);
    assert.deepEqual(
      service?.spec?.ports?.map(({ name, port, targetPort }) => [name, port, targetPort]),
      [[undefined, 80, 20_000]],
    );
    assert.equal((await slicesOf('cart')).length, 1);
    assert.equal((await slicesOf(derivedServiceName(KEY))).length, 1);
    assert.equal(await condition('ImportTargetPortValid'), 'True Leased');
    assert.equal(await condition('ImportServiceValid'), 'True Valid');
    assert.equal(await condition('ImportServiceCreated'), 'True Valid');
    assert.equal(await condition('SourcesResolved'), 'True Resolved');
    assert.equal(await condition('Ready'), 'True Ready');
    world.writes.length = 0;
    await world.reconcile();
    world.restart();
    await world.reconcile();
    assert.deepEqual(world.writes, []);
  });

  it('no sources → the Service is there, and refuses: Ready=False NoUsableSource (TestImportConflictingTargetPort)', async () => {
    await write({ sources: [] });
    await world.reconcile();
    await withGateway();
    assert.equal(await condition('ImportServiceValid'), 'True Valid');
    assert.match(await condition('Ready'), /^False NoUsableSource/);
  });

  it('a Service of the user in the way → untouched, told, and it heals (TestImportConflictingService)', async () => {
    const before = await ownService();
    await write();
    await world.reconcile();
    assert.match(await condition('ImportServiceValid'), /^False Error There is a Service store\/cart that is not ours/);
    assert.equal((await world.store.get('Service', KEY))?.metadata?.resourceVersion, before.metadata?.resourceVersion);
    assert.equal((await slicesOf('cart')).length, 0);
    await world.store.delete('Service', KEY);
    await world.reconcile();
    assert.equal(await condition('ImportServiceValid'), 'True Valid');
    assert.equal((await world.store.get('Service', KEY))?.metadata?.labels?.[LABELS.importName], 'cart');
  });

  it('our Service deleted → made again', async () => {
    await write();
    await world.reconcile();
    await world.store.delete('Service', KEY);
    await world.reconcile();
    assert.ok((await world.store.get('Service', KEY)) !== undefined);
  });

  it('two with one target port → the second makes nothing; when the first changes it heals (TestImportConflictingTargetPort)', async () => {
    const other = { namespace: 'store', name: 'web' };
    await write({ targetPort: 3000 });
    await world.reconcile();
    await write({ targetPort: 3000 }, { key: other });
    await world.reconcile();
    assert.match(await condition('ImportTargetPortValid', other), /^False Error .*Import store\/cart has 3000/);
    assert.match(await condition('ImportServiceValid', other), /^False Error/);
    assert.match(await condition('Ready', other), /^False TargetPortTaken/);
    assert.equal(await world.store.get('Service', other), undefined);
    assert.deepEqual(
      world.events.map(({ regarding, type, reason }) => [regarding.metadata?.name, type, reason]),
      [['web', 'Warning', 'TargetPortTaken']],
    );
    await write({ targetPort: 3001 });
    await world.reconcile();
    assert.equal(await condition('ImportServiceValid', other), 'True Valid');
  });

  describe('label merge', () => {
    const merged = { labels: { [MERGE]: 'true' } };

    it('no Service → told; one of the user → slices with its port’s name beside it, the Service untouched (TestImportMerge)', async () => {
      await write({}, merged);
      await world.reconcile();
      assert.match(await condition('ImportServiceValid'), /^False Error There is no Service store\/cart/);
      const service = await ownService();
      await withGateway();
      assert.equal(await condition('ImportServiceValid'), 'True Valid');
      const [slice, ...others] = await slicesOf('cart');
      assert.deepEqual(others, []);
      assert.deepEqual(slice?.ports, [{ name: 'http', protocol: 'TCP', port: 20_000 }]);
      assert.deepEqual(slice.endpoints[0]?.addresses, ['10.244.0.9']);
      const after = await world.store.get('Service', KEY);
      assert.equal(after?.metadata?.resourceVersion, service.metadata?.resourceVersion);
    });

    it('several ports → the one of the Import’s number', async () => {
      await ownService([
        { name: 'metrics', port: 9090 },
        { name: 'web', port: 80 },
      ]);
      await write({}, merged);
      await world.reconcile();
      await withGateway();
      assert.equal((await slicesOf('cart'))[0]?.ports?.[0]?.name, 'web');
    });

    it('label off → slices go, and the Service is in the way; on again → they are back', async () => {
      await ownService();
      await write({}, merged);
      await world.reconcile();
      await withGateway();
      await write({}, { labels: { [MERGE]: 'false' } });
      await world.reconcile();
      assert.equal((await slicesOf('cart')).length, 0);
      assert.match(await condition('ImportServiceValid'), /not ours/);
      await write({}, merged);
      await world.reconcile();
      assert.equal((await slicesOf('cart')).length, 1);
    });

    it('label on where our Service is → that goes', async () => {
      await write();
      await world.reconcile();
      await write({}, merged);
      await world.reconcile();
      assert.equal(await world.store.get('Service', KEY), undefined);
      assert.match(await condition('ImportServiceValid'), /^False Error There is no Service/);
    });

    it('the Import goes → the slices go, the Service stays', async () => {
      await ownService();
      await write({}, merged);
      await world.reconcile();
      await withGateway();
      await world.store.delete('Import', KEY);
      await world.reconcile();
      assert.equal((await slicesOf('cart')).length, 0);
      assert.ok((await world.store.get('Service', KEY)) !== undefined);
    });
  });

  it('the Import goes → its Service and binding go (TestImportDelete)', async () => {
    await write();
    await world.reconcile();
    await world.store.delete('Import', KEY);
    await world.reconcile();
    assert.equal(await world.store.get('Service', KEY), undefined);
    assert.deepEqual(await world.store.list('ImportBinding'), []);
  });

  it('an import of a rule, then an Import of its name → the ServiceImport goes, the address stays; and back', async () => {
    await world.rule({ into: { namespace: 'store', name: 'cart' } });
    await world.reconcile();
    const before = await world.serviceImport('store/cart');
    assert.ok(before !== undefined);
    await write();
    await world.reconcile();
    assert.equal(await world.serviceImport('store/cart'), undefined);
    const binding = await world.store.get('ImportBinding', { namespace: SYSTEM, name: 'cart.store' });
    assert.deepEqual(binding?.spec.ips, before.spec?.ips);
    await world.store.delete('Import', KEY);
    await world.reconcile();
    assert.deepEqual((await world.serviceImport('store/cart'))?.spec?.ips, before.spec?.ips);
  });

  it('a ServiceImport of a user has the name → left alone, and the Import says so', async () => {
    const spec = { type: 'ClusterSetIP' as const, ports: [] };
    await world.store.apply(
      { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceImport', metadata: KEY, spec },
      user,
    );
    await write();
    await world.reconcile();
    assert.match(await condition('Ready'), /^False NameTaken There is a ServiceImport store\/cart/);
    assert.deepEqual((await world.serviceImport('store/cart'))?.spec, spec);
    await world.store.delete('ServiceImport', KEY);
    await world.reconcile();
    assert.equal(await condition('ImportServiceValid'), 'True Valid');
  });

  it('a source without a Peer, an odd scheme → used as far as can be, told once each', async () => {
    await write({ sources: [{ ...WEST, peer: 'nobody' }, WEST], lbScheme: 'fastest' });
    await world.reconcile();
    await world.reconcile();
    assert.match(await condition('SourcesResolved'), /^False PeerNotFound/);
    assert.match(await condition('Valid'), /^True UnknownScheme/);
    assert.deepEqual(world.events.map(({ reason }) => reason).sort(), ['PeerNotFound', 'UnknownScheme']);
  });

  describe('exports that a Peer declares', () => {
    const declare = (text: string, peer = 'cl') =>
      world.store.apply(
        {
          apiVersion: 'clusterlink.net/v1alpha1',
          kind: 'Peer',
          metadata: { namespace: SYSTEM, name: peer, annotations: { 'mcs.clusterlink.net/exports': text } },
          spec: { gateways: [] },
        },
        user,
      );
    const sourcesOf = async (name: string): Promise<string[]> => {
      const binding = await world.store.get('ImportBinding', { namespace: SYSTEM, name: `${name}.store` });
      return (binding?.spec.sources ?? []).map(({ peer, ports }) => `${peer} ${ports.map(({ port }) => port).join()}`);
    };

    it('a rule over a ClusterLink peer → a ServiceImport, for as long as the annotation says so', async () => {
      await declare('shop/web:80');
      await world.rule();
      await world.reconcile();
      assert.deepEqual((await world.serviceImport('store/web'))?.spec?.ports, [
        { name: '', protocol: 'TCP', port: 80 },
      ]);
      assert.deepEqual(await sourcesOf('web'), ['cl 80']);
      await declare('shop/other:80');
      await world.reconcile();
      assert.equal(await world.serviceImport('store/web'), undefined);
      assert.deepEqual(await sourcesOf('other'), ['cl 80']);
    });

    it('the peer tells the same export → what it tells counts', async () => {
      await declare('shop/db:1, shop/web:80', 'east');
      await world.rule();
      await world.reconcile();
      assert.deepEqual(await sourcesOf('db'), ['east 5432']);
      assert.deepEqual(await sourcesOf('web'), ['east 80']);
    });
  });

  it('its namespace is going → nothing is made and nothing fails (IMP-06)', async () => {
    await world.namespace('store', 'Terminating');
    await write();
    await world.reconcile();
    assert.deepEqual(await world.store.list('ImportBinding'), []);
  });
});
