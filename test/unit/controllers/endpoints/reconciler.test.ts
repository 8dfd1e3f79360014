/** EndpointSlices of imports, on a cluster in memory. */
import assert from 'node:assert/strict';
import { derivedServiceName } from '#src/controllers/derived-service/name.ts';
import { GATEWAY_GONE_MS } from '#src/controllers/limits.ts';
import { makeRecord } from '../../exchange/samples.ts';
import { makeClusterWorld, SYSTEM, type ClusterWorld } from '../cluster-world.ts';

const derived = derivedServiceName({ namespace: 'store', name: 'db' });
const user = { fieldManager: 'kubectl', force: true };

describe('makeEndpointsController', () => {
  let world: ClusterWorld;
  beforeEach(async () => {
    world = await makeClusterWorld();
    await world.rule();
    await world.say('east', makeRecord('db'));
    await world.imports();
  });
  afterEach(() => world.close());

  const slicesIn = async (namespace: string) =>
    (await world.store.list('EndpointSlice')).filter(({ metadata }) => metadata?.namespace === namespace);
  /** Where kube-proxy would send a client: address and ports. */
  const targets = async (namespace = SYSTEM) =>
    (await slicesIn(namespace)).map(({ endpoints, ports = [] }) => [
      endpoints.flatMap(({ addresses }) => addresses),
      ports.map(({ name, port }) => `${name} ${port}`),
    ]);

  it('no gateway listens → no endpoint for clients: they are refused at once (DESIGN §3.9)', async () => {
    await world.gateway('gw-a');
    await world.endpoints();
    assert.deepEqual(await targets(), []);
  });

  it('a ready gateway that listens → a slice for kube-proxy, with node and pod', async () => {
    await world.gateway('gw-a', { ip: '10.244.0.9' });
    await world.observe('store/db', { 'gw-a': [20_000] });
    await world.endpoints();
    const [slice, ...others] = await slicesIn(SYSTEM);
    assert.deepEqual(others, []);
    assert.deepEqual(slice?.metadata?.labels, {
      'app.kubernetes.io/managed-by': 'clusterlink-mcs',
      'endpointslice.kubernetes.io/managed-by': 'clusterlink-mcs',
      'kubernetes.io/service-name': derived,
      'mcs.clusterlink.net/import-name': 'db',
      'mcs.clusterlink.net/import-namespace': 'store',
    });
    const pod = await world.store.get('Pod', { namespace: SYSTEM, name: 'gw-a' });
    assert.deepEqual(slice.endpoints, [
      {
        addresses: ['10.244.0.9'],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: 'node',
        targetRef: { kind: 'Pod', namespace: SYSTEM, name: 'gw-a', uid: pod?.metadata?.uid },
      },
    ]);
    assert.deepEqual(slice.ports, [{ name: 'pg', protocol: 'TCP', port: 20_000 }]);
    assert.equal(slice.addressType, 'IPv4');
  });

  const absent: { title: string; pod: Parameters<ClusterWorld['gateway']>[1] }[] = [
    { title: 'not ready', pod: { ready: false } },
    { title: 'another part', pod: { labels: { 'app.kubernetes.io/component': 'dns' } } },
    { title: 'another program', pod: { labels: { 'app.kubernetes.io/name': 'other' } } },
  ];
  for (const { title, pod } of absent) {
    it(`a pod that is ${title} → in no slice, whatever the binding says`, async () => {
      await world.gateway('gw-a', pod);
      await world.observe('store/db', { 'gw-a': [20_000] });
      await world.endpoints();
      assert.deepEqual(await targets(), []);
    });
  }

  it('pods of both families → a slice for each family', async () => {
    await world.gateway('gw-a', { ip: '10.244.0.9' });
    await world.gateway('gw-b', { ip: 'fd00::9' });
    await world.observe('store/db', { 'gw-a': [20_000], 'gw-b': [20_000] });
    await world.endpoints();
    const types = (await slicesIn(SYSTEM)).map(({ addressType, endpoints }) => [addressType, endpoints[0]?.addresses]);
    assert.deepEqual(types.sort(), [
      ['IPv4', ['10.244.0.9']],
      ['IPv6', ['fd00::9']],
    ]);
  });

  it('gateways that listen on different ports → each port leads only to those that do', async () => {
    const ports = [1, 2].map((port) => ({ name: `p${port}`, protocol: 'TCP' as const, port }));
    await world.say('east', makeRecord('db'), makeRecord('two', { ports }));
    await world.imports();
    const [first = 0, second = 0] = await world.targetPorts('store/two');
    await world.gateway('gw-a', { ip: '10.244.0.9' });
    await world.gateway('gw-b', { ip: '10.244.0.10' });
    await world.observe('store/two', { 'gw-a': [first, second], 'gw-b': [second] });
    await world.endpoints();
    assert.deepEqual(
      (await targets()).sort(),
      [
        [['10.244.0.9', '10.244.0.10'].sort().reverse(), [`p2 ${second}`]],
        [['10.244.0.9'], [`p1 ${first}`]],
      ].sort(),
    );
  });

  it('a UDP port → in no slice', async () => {
    const ports = [{ name: 'dns', protocol: 'UDP' as const, port: 53 }];
    await world.say('east', makeRecord('db', { ports }));
    await world.imports();
    const targetPorts = await world.targetPorts('store/db');
    await world.gateway('gw-a');
    await world.observe('store/db', { 'gw-a': targetPorts.map(Number) });
    await world.endpoints();
    assert.deepEqual(await world.store.list('EndpointSlice'), []);
  });

  describe('MCS slices', () => {
    it('one source cluster → the clusterset IP at the service’s port, labelled, owned by the import (EPS-02 to EPS-06, EPS-13)', async () => {
      await world.endpoints();
      const [slice, ...others] = await slicesIn('store');
      assert.deepEqual(others, []);
      const imported = await world.serviceImport('store/db');
      assert.deepEqual(slice?.metadata?.labels, {
        'app.kubernetes.io/managed-by': 'clusterlink-mcs',
        'endpointslice.kubernetes.io/managed-by': 'clusterlink-mcs',
        'kubernetes.io/service-name': derived,
        'mcs.clusterlink.net/import-name': 'db',
        'mcs.clusterlink.net/import-namespace': 'store',
        'multicluster.kubernetes.io/service-name': 'db',
        'multicluster.kubernetes.io/source-cluster': 'east',
        'service.kubernetes.io/service-proxy-name': 'clusterlink-mcs',
      });
      assert.deepEqual(slice.metadata.ownerReferences, [
        {
          apiVersion: 'multicluster.x-k8s.io/v1beta1',
          kind: 'ServiceImport',
          name: 'db',
          uid: imported?.metadata?.uid,
        },
      ]);
      assert.deepEqual(slice.endpoints[0]?.addresses, imported?.spec?.ips);
      assert.equal(slice.endpoints[0]?.conditions?.ready, true);
      assert.deepEqual(slice.ports, [{ name: 'pg', protocol: 'TCP', port: 5432 }]);
    });

    it('two clusters with different ports → a slice each, with the ports that each exposes (EPS-05, CFL-21)', async () => {
      await world.rule({ merge: true });
      await world.say('north', makeRecord('db', { ports: [{ name: 'http', protocol: 'TCP', port: 80 }] }));
      await world.imports();
      await world.endpoints();
      const byCluster = (await slicesIn('store')).map(({ metadata, ports }) => [
        metadata?.labels?.['multicluster.kubernetes.io/source-cluster'],
        ports?.map(({ port }) => port),
      ]);
      assert.deepEqual(byCluster.sort(), [
        ['east', [5432]],
        ['north', [80]],
      ]);
    });

    for (const { title, readyEndpoints, usable, want } of [
      { title: 'no ready endpoint there', readyEndpoints: 0, usable: true, want: false },
      { title: 'no gateway that can use it', readyEndpoints: 1, usable: false, want: false },
      { title: 'a gateway that can use it', readyEndpoints: 1, usable: true, want: true },
    ]) {
      it(`${title} → ready ${want} (EPS-10, EPS-19)`, async () => {
        await world.say('east', makeRecord('db', { readyEndpoints }));
        await world.imports();
        await world.observe('store/db', { 'gw-a': [] }, { usable });
        await world.endpoints();
        assert.equal((await slicesIn('store'))[0]?.endpoints[0]?.conditions?.ready, want);
      });
    }

    it('a dual-stack cluster → one for each family (EPS-16)', async () => {
      const dual = await makeClusterWorld({ families: ['IPv4', 'IPv6'] });
      await dual.rule();
      await dual.say('east', makeRecord('db'));
      await dual.imports();
      await dual.endpoints();
      const types = (await dual.store.list('EndpointSlice')).map(({ addressType }) => addressType);
      assert.deepEqual(types.sort(), ['IPv4', 'IPv6']);
      await dual.close();
    });

    it('the source goes → its slice goes (EPS-07, C-O13)', async () => {
      await world.endpoints();
      await world.say('east');
      await world.imports();
      await world.endpoints();
      assert.deepEqual(await world.store.list('EndpointSlice'), []);
    });

    it('the import went while no controller ran → its slices go after the restart (IMP-09)', async () => {
      await world.gateway('gw-a');
      await world.observe('store/db', { 'gw-a': [20_000] });
      await world.endpoints();
      assert.equal((await world.store.list('EndpointSlice')).length, 2);
      await world.say('east');
      await world.imports();
      world.restart();
      await world.endpoints();
      assert.deepEqual(await world.store.list('EndpointSlice'), []);
    });
  });

  it('nothing changed → nothing is written, by this process and by the next leader', async () => {
    await world.gateway('gw-a');
    await world.observe('store/db', { 'gw-a': [20_000] });
    await world.reconcile();
    world.writes.length = 0;
    await world.reconcile();
    world.restart();
    await world.reconcile();
    assert.deepEqual(world.writes, []);
  });

  it('slices edited and deleted by hand, labels too → put back', async () => {
    await world.gateway('gw-a');
    await world.observe('store/db', { 'gw-a': [20_000] });
    await world.endpoints();
    const before = await targets();
    const [mcs] = await slicesIn('store');
    const [proxy] = await slicesIn(SYSTEM);
    assert.ok(mcs !== undefined && proxy !== undefined);
    await world.store.apply(
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          namespace: SYSTEM,
          name: proxy.metadata?.name ?? '',
          labels: { 'mcs.clusterlink.net/import-name': 'x' },
        },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['192.0.2.1'] }],
      },
      user,
    );
    await world.store.delete('EndpointSlice', { namespace: 'store', name: mcs.metadata?.name ?? '' });
    await world.endpoints();
    assert.deepEqual(await targets(), before);
    const [again] = await slicesIn('store');
    assert.deepEqual([again?.metadata?.name, again?.endpoints], [mcs.metadata?.name, mcs.endpoints]);
  });

  it('a gateway pod goes → out of the slice at once; its word is taken back after a while, not before', async () => {
    await world.gateway('gw-a');
    await world.observe('store/db', { 'gw-a': [20_000] });
    await world.endpoints();
    await world.store.delete('Pod', { namespace: SYSTEM, name: 'gw-a' });
    const outcomes = await world.endpoints();
    assert.deepEqual(await targets(), []);
    assert.deepEqual(outcomes, [{ requeueAfterMs: GATEWAY_GONE_MS }]);
    const said = async () =>
      (await world.store.get('ImportBinding', { namespace: SYSTEM, name: 'db.store' }))?.status?.gateways;
    assert.equal((await said())?.length, 1);
    world.advance(GATEWAY_GONE_MS);
    await world.endpoints();
    assert.equal(await said(), undefined);
  });

  it('into.service → the Service of the import’s name leads to the gateways too', async () => {
    await world.rule({ service: true });
    await world.imports();
    await world.gateway('gw-a');
    await world.observe('store/db', { 'gw-a': [20_000] });
    await world.endpoints();
    const named = (await slicesIn('store')).filter(
      ({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === 'db',
    );
    assert.deepEqual(
      named.map(({ endpoints, ports }) => [endpoints[0]?.addresses, ports?.[0]?.port]),
      [[['10.244.0.9'], 20_000]],
    );
  });

  it('a headless import → no slices', async () => {
    await world.say('east', makeRecord('db', { type: 'Headless' }), makeRecord('none', { type: 'Headless' }));
    await world.imports();
    await world.endpoints();
    const names = (await slicesIn('store')).map(
      ({ metadata }) => metadata?.labels?.['mcs.clusterlink.net/import-name'],
    );
    assert.equal(names.includes('none'), false);
  });
});
