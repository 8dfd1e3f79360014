import assert from 'node:assert/strict';
import { join } from 'node:path';
import { findCondition } from '#src/api/conditions.ts';
import { LABELS, MANAGED_BY } from '#src/api/names.ts';
import { eventually } from '../api.ts';
import { IMAGE, installed, type Peer } from '../fixture.ts';
import { deletePeer, deployPeer, ROOT, SYSTEM } from '../install.ts';
import { allowAll, importRule } from '../rules.ts';
import { namespace, server, service, serviceExport, whenPodsReady } from '../workloads.ts';

const SHOP = 'shop-last';
const STORE = 'store-last';
const WEB = { namespace: SHOP, name: 'web' };
const OURS = [`${LABELS.managedBy}=${MANAGED_BY}`, `app.kubernetes.io/part-of=${MANAGED_BY}`];
/** Renewed every few seconds, or no objects of anybody. */
const PASSING = /^(leases\.coordination|events|pods\.metrics|componentstatuses|bindings)/;

interface Listed {
  readonly kind: string;
  readonly metadata: {
    readonly namespace?: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
  };
  readonly status?: { readonly containerStatuses?: readonly { readonly restartCount: number }[] };
}

describe('installing again, and removing', () => {
  let east: Peer;
  let west: Peer;

  before(async () => {
    ({ east, west } = installed());
    await east.apply(
      ...[namespace(SHOP), server(east, { namespace: SHOP, name: 'server' }), service(WEB, 'server')],
      ...[serviceExport(WEB), allowAll(SHOP)],
    );
    await west.apply(
      ...[namespace(STORE), allowAll(STORE), foreignImport()],
      importRule('last', {
        peers: { names: [east.name] },
        exports: { namespaces: [SHOP] },
        into: { namespace: STORE },
        service: true,
      }),
    );
    // Whatever is ready later than this changes a status between two listings.
    await whenPodsReady(east, SHOP, 1);
    await west.until('Service', { namespace: STORE, name: 'web' }, (object) => object !== undefined);
    await west.until(
      'ServiceImport',
      { namespace: STORE, name: 'web' },
      (object) => findCondition(object?.status?.conditions, 'Ready')?.status === 'True',
    );
  });

  after(async () => {
    await west.remove('clusterimportrule', { namespace: '', name: 'last' });
    await east.remove('namespace', { namespace: '', name: SHOP });
    await west.remove('namespace', { namespace: '', name: STORE });
  });

  for (const folder of ['crds', 'overlays/base', 'overlays/clusterset-profile']) {
    it(`manifests/${folder} in a server-side dry run → taken without a warning`, async () => {
      const apply = [
        'apply',
        '--server-side',
        '--force-conflicts',
        '--dry-run=server',
        '-k',
        join(ROOT, 'manifests', folder),
      ];
      const { code, stderr } = await east.tryKubectl(apply);
      assert.equal(stderr, '');
      assert.equal(code, 0);
    });
  }

  it('deploy peer once more → no object changes', async () => {
    const { folder } = installed();
    await deployPeer(west, { folder, profile: 'base', image: IMAGE });
    await eventually(
      'whatever went before is gone',
      async () => (await west.list('Pod', SYSTEM)).every(({ metadata }) => metadata?.deletionTimestamp === undefined),
      90_000,
    );
    const before = await versionsOf(west);
    assert.ok(before.size > 30, `only ${before.size} objects`);
    await deployPeer(west, { folder, profile: 'base', image: IMAGE });
    assert.deepEqual(await versionsOf(west), before);
  });

  it('delete peer while no controller runs → nothing of ours is left in either cluster, and users keep theirs', async function () {
    this.timeout(180_000);
    for (const peer of [east, west]) {
      await peer.kubectl(['-n', SYSTEM, 'scale', 'deployment/clusterlink-mcs-controller', '--replicas=0']);
      const gone = ['wait', '--for=delete', 'pod', '-l', 'app.kubernetes.io/component=controller', '--timeout=60s'];
      await peer.kubectl(['-n', SYSTEM, ...gone], { timeoutMs: 90_000 });
    }
    const theirs = await west.get('ServiceImport', { namespace: STORE, name: 'theirs' });
    await Promise.all([deletePeer(east), deletePeer(west)]);

    for (const peer of [east, west]) {
      await eventually(
        `${SYSTEM} is gone`,
        async () => (await peer.get('Namespace', { namespace: '', name: SYSTEM })) === undefined,
        60_000,
      );
      const left = (await listOurs(peer)).filter(({ kind }) => kind !== 'CustomResourceDefinition');
      assert.deepEqual(left.map(describeListed), []);
    }
    const crds = await west.kubectl(['get', 'crds', '-o', 'name']);
    for (const kind of [
      'serviceexports.multicluster.x-k8s.io',
      'clusterimportrules.mcs.clusterlink.net',
      'peers.clusterlink.net',
    ]) {
      assert.ok(crds.includes(kind), kind);
    }
    assert.notEqual(await east.get('ServiceExport', WEB), undefined);
    assert.notEqual(await east.get('AccessPolicy', { namespace: SHOP, name: 'everybody' }), undefined);
    assert.notEqual(await west.get('ClusterImportRule', { namespace: '', name: 'last' }), undefined);
    assert.deepEqual(await west.get('ServiceImport', { namespace: STORE, name: 'theirs' }), theirs);
    const everything = await listAll(west);
    const held = everything.filter(({ metadata }) => metadata.finalizers?.some((name) => name.includes('clusterlink')));
    assert.deepEqual(held.map(describeListed), []);
  });

  it('delete peer again → nothing to do, and no error', async () => {
    await deletePeer(west);
  });
});

function foreignImport(): object {
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceImport',
    metadata: { namespace: STORE, name: 'theirs' },
    spec: { type: 'ClusterSetIP', ports: [{ name: 'http', protocol: 'TCP', port: 80 }], ips: ['192.0.2.7'] },
  };
}

const describeListed = ({ kind, metadata }: Listed): string => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;

async function versionsOf(peer: Peer): Promise<ReadonlyMap<string, string>> {
  const objects = await listOurs(peer);
  return new Map(objects.map((object) => [describeListed(object), describeVersion(object)]));
}

/** By what a change of ours shows: the cluster's own controllers write as well, and late where the API server was away. */
function describeVersion({ kind, metadata, status }: Listed): string {
  const { uid, generation, resourceVersion, labels } = metadata;
  if (kind === 'Pod') return `${uid} ${status?.containerStatuses?.map(({ restartCount }) => restartCount).join()}`;
  if (kind === 'Deployment' || kind === 'ReplicaSet' || kind === 'PodDisruptionBudget') return `${uid} ${generation}`;
  if (kind === 'Endpoints') return uid;
  const sliceController = labels?.['endpointslice.kubernetes.io/managed-by'];
  if (sliceController === 'endpointslice-controller.k8s.io') return sliceController;
  return resourceVersion;
}

/** Objects of every kind with a label of ours. */
async function listOurs(peer: Peer): Promise<Listed[]> {
  const found = await Promise.all(OURS.map((label) => list(peer, ['-l', label])));
  const byUid = new Map(found.flat().map((object) => [object.metadata.uid, object]));
  return [...byUid.values()];
}

const listAll = (peer: Peer): Promise<Listed[]> => list(peer, []);

async function list(peer: Peer, selection: readonly string[]): Promise<Listed[]> {
  const names = (await peer.kubectl(['api-resources', '--verbs=list', '-o', 'name'])).split('\n').filter(Boolean);
  const resources = names.filter((name) => !PASSING.test(name)).join(',');
  const answer = await peer.kubectl([
    'get',
    resources,
    '--all-namespaces',
    '--ignore-not-found',
    ...selection,
    '-o',
    'json',
  ]);
  return answer === '' ? [] : (JSON.parse(answer) as { items: Listed[] }).items;
}
