/** The import and endpoints controllers on a real API server: what a memory store cannot show, and the faults of their objects. */
import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import { KIND_NAMES, type KindName } from '#src/api/kinds.ts';
import { gatewayStatusManager } from '#src/api/names.ts';
import { runControllers } from '#src/controllers/controller.ts';
import { makeClusterPropertyController } from '#src/controllers/cluster-property/reconciler.ts';
import { makeDerivedServices } from '#src/controllers/derived-service/home.ts';
import { derivedServiceName } from '#src/controllers/derived-service/name.ts';
import { RECREATE_INTERVAL_MS } from '#src/controllers/limits.ts';
import { makeEndpointsController } from '#src/controllers/endpoints/reconciler.ts';
import type { ImportEvent } from '#src/controllers/import/events.ts';
import { makeExportController } from '#src/controllers/export/reconciler.ts';
import { makeImportController } from '#src/controllers/import/reconciler.ts';
import { makeServiceExportController } from '#src/controllers/service-export/reconciler.ts';
import { wallClock } from '#src/runtime/clock.ts';
import { whenSynced } from '#src/store/cache.ts';
import { closeCaches, openCaches } from '#src/store/caches.ts';
import { loadAccess } from '#src/store/kubernetes/access.ts';
import { openKubernetesStore } from '#src/store/kubernetes/store.ts';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { createNamespace } from '#test/support/api-server/manifests.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { makeRecord } from '../unit/exchange/samples.ts';

const SYSTEM = 'clusterlink-system';
const DERIVED = derivedServiceName({ namespace: 'store', name: 'db' });
const SERVICES = `/api/v1/namespaces/${SYSTEM}/services`;
/** How long nothing may be written before the controllers count as at rest. */
const REST_MS = 1_500;

async function startWorld(server: ApiServer) {
  const access = loadAccess({ kubeconfig: server.kubeconfig });
  const sent: string[] = [];
  const failed: string[] = [];
  const events: ImportEvent[] = [];
  const logger = { info: () => undefined, warn: () => undefined };
  const store = openKubernetesStore({
    access,
    logger,
    onEvent: (event) => {
      if (event.type === 'write' && event.result === 'sent') sent.push(`${event.verb} ${event.kind}`);
    },
  });
  const caches = openCaches(store, KIND_NAMES);
  await whenSynced(Object.values(caches), { timeoutMs: 30_000 });
  let aheadMs = 0;
  const common = { store, caches, clock: { nowMs: () => wallClock.nowMs() + aheadMs } };
  const controllers = runControllers(
    [
      makeImportController({
        ...common,
        self: { name: 'west', labels: {} },
        home: makeDerivedServices(common),
        allowedNamespaces: [],
        onEvent: (event) => events.push(event),
      }),
      makeEndpointsController(common),
      makeServiceExportController({ ...common, self: 'west', allowedNamespaces: [], clusterlinkCompat: 'on' }),
      makeExportController({ ...common, allowedNamespaces: [], foresee: () => 'permitted' }),
      makeClusterPropertyController({ self: 'west', fabric: 'demo', store, caches }),
    ],
    { logger: makeSilentLogger(), onResult: ({ ok, controller }) => void (ok || failed.push(controller)) },
  );
  return {
    store,
    sent,
    failed,
    events,
    advance: (ms: number) => void (aheadMs += ms),
    /** Resolves when nothing was written for a while. */
    async rest() {
      let before = -1;
      await waitFor(
        'the controllers are at rest',
        async () => {
          before = sent.length;
          await new Promise((resolve) => setTimeout(resolve, REST_MS));
          return sent.length === before;
        },
        30_000,
      );
    },
    async close() {
      await controllers.close();
      closeCaches(caches);
      await store.close();
      await access.close();
    },
  };
}
type World = Awaited<ReturnType<typeof startWorld>>;

describe('controllers on an API server', function () {
  this.timeout(120_000);
  let server: ApiServer;
  let world: World;

  before(async () => {
    server = await startApiServer();
    for (const name of [SYSTEM, 'store']) await createNamespace(server.admin, name);
    world = await startWorld(server);
    const user = { fieldManager: 'kubectl', force: true };
    await world.store.apply(
      {
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'Peer',
        metadata: { namespace: SYSTEM, name: 'east' },
        spec: { gateways: [] },
      },
      user,
    );
    await world.store.apply(
      {
        apiVersion: 'mcs.clusterlink.net/v1alpha1',
        kind: 'PeerRecords',
        metadata: { namespace: SYSTEM, name: 'east' },
        spec: {
          peer: 'east',
          epoch: 'one',
          digest: 'd',
          records: [
            makeRecord('db', {
              ports: [
                { name: 'pg', protocol: 'TCP', port: 5432 },
                { name: 'dns', protocol: 'UDP', port: 53 },
              ],
            }),
          ].map((record) => ({ record, firstSeen: '2026-11-20T11:00:00Z' })),
        },
      },
      user,
    );
    await world.store.apply(
      {
        apiVersion: 'mcs.clusterlink.net/v1alpha1',
        kind: 'ClusterImportRule',
        metadata: { name: 'shop' },
        spec: { peers: { all: true }, exports: { names: ['db'] }, into: { namespace: 'store' } },
      },
      user,
    );
    await waitFor('the import', async () => (await get('ServiceImport', 'store', 'db'))?.status?.conditions);
    await world.rest();
  });
  after(async () => {
    await world?.close();
    await server?.close();
  });

  const get = <K extends KindName>(kind: K, namespace: string, name: string) =>
    world.store.get(kind, { namespace, name });
  const ips = async () => (await get('ServiceImport', 'store', 'db'))?.spec?.ips;
  const derived = () => get('Service', SYSTEM, DERIVED);

  it('an import → a derived Service with an address of the cluster, and both lists in the ServiceImport (C-R07, C-R09)', async () => {
    const service = await derived();
    const imported = await get('ServiceImport', 'store', 'db');
    assert.deepEqual(imported?.spec?.ips, service?.spec?.clusterIPs);
    assert.deepEqual(imported?.spec?.ipFamilies, service?.spec?.ipFamilies);
    assert.deepEqual(
      service?.spec?.ports?.map(({ name, protocol, port, targetPort }) => [name, protocol, port, targetPort]),
      [
        ['pg', 'TCP', 5432, 20_000],
        ['dns', 'UDP', 53, 20_001],
      ],
    );
    assert.equal(service?.spec?.selector, undefined);
    assert.equal(findCondition(imported?.status?.conditions, 'PortsServed')?.reason, 'ProtocolNotServed');
    assert.equal((await get('ClusterProperty', '', 'cluster.clusterset.k8s.io'))?.spec.value, 'west');
  });

  it('at rest → nothing is written', async () => {
    const before = world.sent.length;
    await new Promise((resolve) => setTimeout(resolve, 2 * REST_MS));
    assert.deepEqual(world.sent.slice(before), []);
  });

  it("ClusterLink's Export and a ServiceExport → ExportValid, the note of the first port; nothing else, and once", async () => {
    const user = { fieldManager: 'kubectl', force: true };
    const metadata = { namespace: 'store', name: 'pair' };
    const service = (...ports: { name: string; port: number; protocol: 'TCP' }[]) =>
      world.store.apply({ apiVersion: 'v1', kind: 'Service', metadata, spec: { ports } }, user);
    const [web, pg] = [
      { name: 'web', port: 80, protocol: 'TCP' } as const,
      { name: 'pg', port: 5432, protocol: 'TCP' } as const,
    ];
    await service(web, pg);
    await world.store.apply({ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata }, user);
    const host = 'pair.store.svc';
    const exported = { namespace: 'store', name: 'api' };
    await world.store.apply(
      { apiVersion: 'clusterlink.net/v1alpha1', kind: 'Export', metadata: exported, spec: { host, port: 5432 } },
      user,
    );
    await waitFor('both are judged', async () => {
      const conditions = (await get('Export', 'store', 'api'))?.status?.conditions;
      const { annotations } = (await get('ServiceExport', 'store', 'pair'))?.metadata ?? {};
      return (
        findCondition(conditions, 'ExportValid')?.reason === 'Verified' &&
        annotations?.['mcs.clusterlink.net/first-port'] === '80'
      );
    });
    await world.rest();
    const before = world.sent.length;
    await service(pg, web);
    await world.rest();
    assert.deepEqual(world.sent.slice(before), ['apply Service'], 'the test itself');
    assert.deepEqual(world.failed, []);
  });

  it("ClusterLink's Import → Service and conditions; labels count, a Service in the way is told, and nothing is written twice", async () => {
    const user = { fieldManager: 'kubectl', force: true };
    const key = { namespace: 'store', name: 'cart' };
    const sources = [{ peer: 'east', exportName: 'db.pg', exportNamespace: 'shop' }];
    const write = (labels: Record<string, string>, name = key.name) =>
      world.store.apply(
        {
          apiVersion: 'clusterlink.net/v1alpha1',
          kind: 'Import',
          metadata: { ...key, name, labels },
          spec: { port: 80, targetPort: 3000, sources },
        },
        user,
      );
    const said = async (type: string): Promise<string> => {
      const condition = findCondition((await get('Import', key.namespace, key.name))?.status?.conditions, type);
      return `${condition?.status} ${condition?.reason}`;
    };
    await assert.rejects(write({}, 'a'.repeat(64)), { code: 'ERR_INVALID_OBJECT' });
    const inTheWay = { apiVersion: 'v1', kind: 'Service', metadata: key, spec: { ports: [{ port: 1 }] } } as const;
    await world.store.apply({ ...inTheWay, spec: { ports: [{ port: 1 }] } }, user);
    await write({ tier: 'gold' });
    await waitFor(
      'the Service is told to be in the way',
      async () => (await said('ImportServiceValid')) === 'False Error',
    );
    await world.store.delete('Service', key);
    await waitFor('the Import has its Service', async () => (await said('ImportServiceValid')) === 'True Valid');
    assert.equal(await said('ImportTargetPortValid'), 'True Leased');
    const service = await get('Service', key.namespace, key.name);
    assert.deepEqual([service?.spec?.ports?.[0]?.port, service?.spec?.selector], [80, undefined]);
    assert.equal(await get('ServiceImport', key.namespace, key.name), undefined);
    await world.rest();
    const before = world.sent.length;
    // A change of labels changes no generation.
    await write({ tier: 'silver' });
    const binding = () => get('ImportBinding', SYSTEM, 'cart.store');
    await waitFor('the labels are in force', async () => (await binding())?.spec.labels?.['tier'] === 'silver');
    assert.deepEqual((await binding())?.spec.sources[0]?.ports, [{ name: '', protocol: 'TCP', port: 5432 }]);
    assert.deepEqual(
      world.sent.slice(before),
      ['apply Import', 'apply ImportBinding'],
      'the test itself, and one write',
    );
    await world.store.delete('Import', key);
    await waitFor('all is gone', async () => (await binding()) === undefined);
    await waitFor('its Service too', async () => (await get('Service', key.namespace, key.name)) === undefined);
    assert.deepEqual(world.failed, []);
  });

  it('the derived Service deleted by hand → made again with its address; then nothing more is written (IMP-07)', async () => {
    const [before, uid] = [await ips(), (await derived())?.metadata?.uid];
    await server.admin.request('DELETE', `${SERVICES}/${DERIVED}`);
    await waitFor('another Service', async () => {
      const now = (await derived())?.metadata?.uid;
      return now !== undefined && now !== uid;
    });
    await world.rest();
    assert.deepEqual([(await derived())?.spec?.clusterIPs, await ips()], [before, before]);
  });

  const edits: { title: string; patch: Record<string, unknown> }[] = [
    { title: 'a selector', patch: { spec: { selector: { app: 'evil' } } } },
    { title: 'a type', patch: { spec: { type: 'NodePort' } } },
    { title: 'another port', patch: { spec: { ports: [{ name: 'x', port: 1, targetPort: 1, protocol: 'TCP' }] } } },
    { title: 'labels taken away', patch: { metadata: { labels: { 'mcs.clusterlink.net/import-name': null } } } },
    { title: 'affinity', patch: { spec: { sessionAffinity: 'ClientIP' } } },
  ];
  for (const { title, patch } of edits) {
    it(`${title} by hand → put back, with the same address`, async () => {
      world.advance(RECREATE_INTERVAL_MS);
      const before = await derived();
      const answer = await server.admin.request('PATCH', `${SERVICES}/${DERIVED}`, {
        body: patch,
        contentType: 'application/strategic-merge-patch+json',
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      const shape = async () => {
        const { metadata, spec } = (await derived()) ?? {};
        return JSON.stringify([metadata?.labels, spec]);
      };
      const want = JSON.stringify([before?.metadata?.labels, before?.spec]);
      await waitFor(`put back: ${want}`, async () => (await shape()) === want);
      await world.rest();
      assert.equal(await shape(), want);
    });
  }

  it('a gateway that listens → a slice; its pod goes → the slice goes at once, its word later', async () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: SYSTEM, name: 'gw-a' } };
    await server.admin.apply({
      ...pod,
      metadata: {
        ...pod.metadata,
        labels: { 'app.kubernetes.io/name': 'clusterlink-mcs', 'app.kubernetes.io/component': 'gateway' },
      },
      spec: { containers: [{ name: 'web', image: 'test.local/web:1' }] },
    });
    const status = {
      phase: 'Running',
      podIP: '10.244.0.9',
      podIPs: [{ ip: '10.244.0.9' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    };
    await server.admin.apply({ ...pod, status }, { subresource: 'status' });
    for (const name of ['gw-a', 'gw-b']) {
      await world.store.applyStatus(
        {
          apiVersion: 'mcs.clusterlink.net/v1alpha1',
          kind: 'ImportBinding',
          metadata: { namespace: SYSTEM, name: 'db.store' },
          status: {
            gateways: [
              {
                name,
                listening: [20_000],
                sources: [{ peer: 'east', namespace: 'shop', name: 'db', usable: true }],
              },
            ],
          },
        },
        { fieldManager: gatewayStatusManager(name), force: true },
      );
    }
    const proxied = async () =>
      (await world.store.list('EndpointSlice')).filter(
        ({ metadata }) => metadata?.namespace === SYSTEM && metadata.labels?.['kubernetes.io/service-name'] === DERIVED,
      );
    await waitFor('the slice', async () => (await proxied()).length === 1);
    assert.deepEqual((await proxied())[0]?.endpoints[0]?.addresses, ['10.244.0.9']);
    await waitFor('Ready', async () => {
      const { conditions } = (await get('ServiceImport', 'store', 'db'))?.status ?? {};
      return findCondition(conditions, 'Ready')?.status === 'True';
    });
    await server.admin.request('DELETE', `/api/v1/namespaces/${SYSTEM}/pods/gw-a?gracePeriodSeconds=0`);
    await waitFor('no slice', async () => (await proxied()).length === 0);
    await waitFor(
      'no gateway says anything',
      async () => (await get('ImportBinding', SYSTEM, 'db.store'))?.status?.gateways === undefined,
      20_000,
    );
  });

  it('MCS slices deleted by hand → made again under their name (EPS-15)', async () => {
    const mcs = async () =>
      (await world.store.list('EndpointSlice')).filter(({ metadata }) => metadata?.namespace === 'store');
    const [before] = await mcs();
    assert.ok(before !== undefined);
    const path = `/apis/discovery.k8s.io/v1/namespaces/store/endpointslices/${before.metadata?.name ?? ''}`;
    await server.admin.request('DELETE', path);
    await waitFor('another slice', async () => {
      const [now] = await mcs();
      return now !== undefined && now.metadata?.uid !== before.metadata?.uid;
    });
    assert.deepEqual((await mcs())[0]?.endpoints, before.endpoints);
  });

  it('a ServiceImport of a user → NoRule; a rule of mode Requested → addresses and status, nothing else; no rule → released', async () => {
    await createNamespace(server.admin, 'team');
    await server.admin.apply({
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceImport',
      metadata: {
        namespace: 'team',
        name: 'mine',
        annotations: { 'mcs.clusterlink.net/sources': 'east/shop/db' },
      },
      spec: { type: 'ClusterSetIP', ports: [{ port: 5432, protocol: 'TCP' }] },
    });
    await waitFor('an event', () => world.events.some(({ reason }) => reason === 'NoRule'));
    const path = '/apis/mcs.clusterlink.net/v1alpha1/namespaces/team/importrules/asked';
    await server.admin.apply({
      apiVersion: 'mcs.clusterlink.net/v1alpha1',
      kind: 'ImportRule',
      metadata: { namespace: 'team', name: 'asked' },
      spec: { mode: 'Requested', peers: { all: true }, exports: { names: ['db'] } },
    });
    await waitFor('addresses', async () => (await get('ServiceImport', 'team', 'mine'))?.status?.conditions);
    const given = await get('ServiceImport', 'team', 'mine');
    assert.deepEqual(given?.spec?.ports, [{ port: 5432, protocol: 'TCP' }]);
    assert.equal(given.metadata?.labels, undefined);
    await server.admin.request('DELETE', path);
    await waitFor('released', async () => (await get('ServiceImport', 'team', 'mine'))?.spec?.ips === undefined);
    await world.rest();
    const released = await get('ServiceImport', 'team', 'mine');
    assert.deepEqual([released?.metadata?.uid, released?.status?.conditions], [given.metadata?.uid, undefined]);
  });

  it('the namespace is being deleted → its objects are not made again, nothing fails, nothing loops (IMP-06)', async () => {
    await world.rest();
    world.failed.length = 0;
    // Nobody empties the namespace here, so that it stays as it is on its way out.
    await server.admin.request('DELETE', '/api/v1/namespaces/store');
    await waitFor('the import is gone', async () => (await get('ServiceImport', 'store', 'db')) === undefined);
    await world.rest();
    assert.deepEqual(world.failed, []);
    assert.equal((await world.store.list('EndpointSlice')).filter((s) => s.metadata?.namespace === 'store').length, 0);
    const marked = (await derived())?.metadata?.annotations ?? {};
    assert.ok('mcs.clusterlink.net/unused-since' in marked);
  });
});
