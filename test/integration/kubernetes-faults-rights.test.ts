/** CRDs and rights that are missing, and come while the controller runs: it says what it lacks, does the rest, and needs no restart. */
import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { applyManifests, installCrds, readManifests } from '#test/support/api-server/manifests.ts';
import type { Manifest } from '#test/support/api-server/rest.ts';
import {
  clusterImportRule,
  makeCluster,
  namespace,
  PARTS_USER,
  peer,
  peerRecords,
  service,
  serviceExport,
  SYSTEM,
  type Cluster,
} from '#test/support/cluster-objects.ts';
import { startController, type RunningPart } from '#test/support/cluster-parts.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeRecord } from '../unit/exchange/samples.ts';

/** Lists that failed are tried again after 30 s at most, writes that were refused after 20 s. */
const NOTICED_MS = 50_000;
const CONTROLLER = `system:serviceaccount:${SYSTEM}:clusterlink-mcs-controller`;

const rule = clusterImportRule('all', {
  peers: { names: ['east'] },
  exports: { all: true },
  into: { namespace: 'store' },
});

describe('controller, CRDs that come later', function () {
  this.timeout(180_000);
  let server: ApiServer;
  let cluster: Cluster;
  let controller: RunningPart;

  before(async () => {
    server = await startApiServer({ crds: [] });
    cluster = makeCluster(server);
    await cluster.apply(...[SYSTEM, 'store', 'shop'].map(namespace), service('shop', 'web'));
    controller = await startController({ kubeconfig: await server.kubeconfigFor(PARTS_USER, ['system:masters']) });
  });
  after(async () => {
    await controller?.close();
    await server?.close();
  });

  const missing = (): string => controller.health.missing().join();
  const ours = async () =>
    (await readManifests(['crds'])).filter(({ metadata }) => metadata.name.endsWith('clusterlink.net'));

  /** ServiceImport as of v0.5.0, which has no `endpointSliceObjects` (CRD-18), and both kinds with these versions served. */
  async function installMcs(served: readonly string[], without: readonly string[] = []): Promise<void> {
    const names = ['serviceexports', 'serviceimports'].map((plural) => `crds/multicluster.x-k8s.io_${plural}.yaml`);
    for (const crd of await readManifests(names)) {
      const spec = crd['spec'] as { versions: { name: string }[] };
      const versions = spec.versions.map((version) => ({
        ...version,
        served: served.includes(version.name),
        storage: version.name === 'v1alpha1',
      }));
      const text = JSON.stringify({ ...crd, spec: { ...spec, versions } }, (key, value: unknown) =>
        without.includes(key) ? undefined : value,
      );
      await applyManifests(server.admin, [JSON.parse(text) as Manifest]);
    }
  }

  it('none at all → readiness names every kind but those that a cluster may go without', () => {
    assert.match(missing(), /ServiceExport, ServiceImport, Peer, .*PeerRecords, ImportBinding/);
    assert.doesNotMatch(missing(), /ClusterProperty/);
  });

  it('about.k8s.io first → the properties are written, whatever else is missing', async () => {
    await installCrds(server.admin, ['crds/about.k8s.io_clusterproperties.yaml']);
    const property = await waitFor(
      'the property',
      () => cluster.get('ClusterProperty', '', 'cluster.clusterset.k8s.io'),
      NOTICED_MS,
    );
    assert.equal(property.spec.value, 'west');
    assert.match(missing(), /ServiceExport/);
  });

  it('then ours → policies are judged; readiness waits for the two of the MCS API', async () => {
    await applyManifests(server.admin, await ours());
    await waitFor('ours are served', async () => {
      const { status } = await server.admin.request('GET', '/apis/mcs.clusterlink.net/v1alpha1/importbindings?limit=1');
      return status === 200;
    });
    const policy = { action: 'deny', from: [], to: [] };
    await waitFor('a policy', () =>
      cluster
        .apply({
          apiVersion: 'clusterlink.net/v1alpha1',
          kind: 'AccessPolicy',
          metadata: { namespace: 'shop', name: 'none' },
          spec: policy,
        })
        .then(() => true),
    );
    await waitFor(
      'its condition',
      async () => (await cluster.get('AccessPolicy', 'shop', 'none'))?.status?.conditions,
      NOTICED_MS,
    );
    await waitFor(
      'only the MCS API is missing',
      () => missing() === 'store: waits for a first list of ServiceExport, ServiceImport',
      NOTICED_MS,
    );
  });

  it('then the MCS API, v1alpha1 alone and without endpointSliceObjects → ready; imports and exports work (CRD-18)', async () => {
    await installMcs(['v1alpha1'], ['endpointSliceObjects']);
    await waitFor('ready', () => missing() === '', NOTICED_MS);
    await cluster.apply(peer('east'), rule, peerRecords('east', [makeRecord('db')]));
    const path = '/apis/multicluster.x-k8s.io/v1alpha1/namespaces/store/serviceimports/db';
    interface Import {
      readonly spec: { readonly ips: readonly string[] };
      readonly status?: Record<string, unknown>;
    }
    const read = async () => (await server.admin.request<Import>('GET', path)).body;
    const { status, spec } = await waitFor('the status', async () => {
      const found = await read();
      return typeof found.status === 'object' ? found : undefined;
    });
    assert.deepEqual(Object.keys(status ?? {}).sort(), ['clusters', 'conditions']);
    assert.match(spec.ips[0] ?? '', /^10\.96\./);
    await waitFor('its slice', async () => (await cluster.list('EndpointSlice', 'store')).length === 1);
    await server.admin.request('POST', '/apis/multicluster.x-k8s.io/v1alpha1/namespaces/shop/serviceexports', {
      body: { ...serviceExport('shop', 'web'), apiVersion: 'multicluster.x-k8s.io/v1alpha1' },
    });
    await waitFor('the export is valid', async () => {
      const { body } = await server.admin.request<Import>(
        'GET',
        path.replace('store/serviceimports/db', 'shop/serviceexports/web'),
      );
      return typeof body.status === 'object';
    });
    // Once refused for the field that the CRD lacks, and never again.
    const writes = await cluster.rest();
    assert.equal(writes.filter(({ code, resource }) => code >= 400 && resource === 'serviceimports').length, 1);
  });

  it('then v1beta1 too → nothing is written because of it, and what changes later goes through either', async () => {
    const before = (await cluster.rest()).length;
    await installMcs(['v1beta1', 'v1alpha1'], ['endpointSliceObjects']);
    await waitFor('both are served', async () => (await cluster.list('ServiceImport')).length === 1);
    assert.equal((await cluster.rest()).length, before);
    await cluster.apply(peerRecords('east', [makeRecord('db'), makeRecord('late')]));
    await waitFor('the next import', () => cluster.get('ServiceImport', 'store', 'late'));
  });

  it('the CRD of ServiceImports deleted and installed again → every import is there again, with its address', async () => {
    const ipsOf = async (name: string) => (await cluster.get('ServiceImport', 'store', name))?.spec?.ips;
    const ips = [await ipsOf('db'), await ipsOf('late')];
    await server.admin.request(
      'DELETE',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/serviceimports.multicluster.x-k8s.io',
    );
    await waitFor('it is gone', async () => (await cluster.list('ServiceImport').catch(() => undefined)) === undefined);
    assert.equal((await cluster.list('ImportBinding', SYSTEM)).length, 2);
    await installMcs(['v1beta1', 'v1alpha1']);
    await waitFor(
      'both are back',
      async () => (await ipsOf('db')) !== undefined && (await ipsOf('late')) !== undefined,
      NOTICED_MS,
    );
    assert.deepEqual([await ipsOf('db'), await ipsOf('late')], ips);
    await cluster.rest();
    assert.equal((await cluster.list('EndpointSlice', 'store')).length, 2);
  });
});

describe('controller, rights that are missing', function () {
  this.timeout(180_000);
  let server: ApiServer;
  let cluster: Cluster;
  let role: Manifest;

  before(async () => {
    server = await startApiServer();
    cluster = makeCluster(server, CONTROLLER);
    await cluster.apply(...[SYSTEM, 'store', 'shop'].map(namespace), peer('east'));
    const rights = await readManifests(['manifests/base/controller-rbac.yaml']);
    await applyManifests(server.admin, rights);
    role = rights.find(({ kind }) => kind === 'ClusterRole') as Manifest;
    await cluster.apply(
      rule,
      peerRecords('east', [makeRecord('db')]),
      service('shop', 'web'),
      serviceExport('shop', 'web'),
    );
  });
  after(() => server?.close());

  interface Rule {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }
  /** The role as it is shipped, without these; `verb resource`. */
  async function forbid(...missing: readonly string[]): Promise<void> {
    const rules = (role['rules'] as Rule[]).flatMap(({ resources, verbs, ...rest }) =>
      resources.map((resource) => ({
        ...rest,
        resources: [resource],
        verbs: verbs.filter((verb) => !missing.includes(`${verb} ${resource}`)),
      })),
    );
    await applyManifests(server.admin, [{ ...role, rules: rules.filter(({ verbs }) => verbs.length > 0) }]);
  }
  const start = async () => startController({ kubeconfig: await server.kubeconfigFor(CONTROLLER) });
  const exportIsValid = async () =>
    findCondition((await cluster.get('ServiceExport', 'shop', 'web'))?.status?.conditions, 'Valid')?.status === 'True';
  const imported = () => cluster.get('ServiceImport', 'store', 'db');

  it('may not watch policies, write statuses of imports, nor tell events → each is named; imports work; granted, the rest comes', async () => {
    await forbid('list accesspolicies', 'watch accesspolicies', 'patch serviceimports/status', 'create events');
    await using controller = await start();
    await cluster.apply(serviceExport('shop', 'lost'));
    await waitFor('the import', imported);
    await waitFor('the binding', () => cluster.get('ImportBinding', SYSTEM, 'db.store'));
    await waitFor('its slice', async () => (await cluster.list('EndpointSlice', 'store')).length === 1);
    await waitFor('the export', exportIsValid);
    const log = (): string => controller.lines.join('');
    await waitFor('the log names all three', () =>
      [/list.*accesspolicies/, /serviceimports\/status/, /Event was dropped/].every((name) => name.test(log())),
    );
    assert.deepEqual(controller.health.missing(), ['store: waits for a first list of AccessPolicy']);
    const refused = (await cluster.rest()).filter(({ code }) => code === 403);
    assert.ok(refused.length < 10, `${refused.length} refused writes`);
    await forbid();
    await waitFor('the status', async () => (await imported())?.status?.conditions, NOTICED_MS);
    await waitFor('ready', () => controller.health.missing().length === 0, NOTICED_MS);
  });

  it('may not make Services → exports work, and no import is shown without an address; granted, it comes', async () => {
    await cluster.apply(peerRecords('east', [makeRecord('db'), makeRecord('new')]));
    await forbid('create services');
    await using controller = await start();
    const before = (await cluster.rest()).length;
    await waitFor('the log', () => /derived-.*create/s.test(controller.lines.join('')));
    assert.equal(await cluster.get('ServiceImport', 'store', 'new'), undefined);
    assert.ok(await imported());
    await cluster.apply(service('shop', 'two'), serviceExport('shop', 'two'));
    await waitFor('another export is judged', async () => (await cluster.get('ServiceExport', 'shop', 'two'))?.status);
    await forbid();
    await waitFor('the import', () => cluster.get('ServiceImport', 'store', 'new'), NOTICED_MS);
    const refused = (await cluster.rest()).slice(before).filter(({ code }) => code === 403);
    assert.ok(refused.length < 20, `${refused.length} refused writes`);
    assert.deepEqual(controller.health.missing(), []);
  });
});
