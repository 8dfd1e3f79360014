import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import { LABELS, MANAGED_BY } from '#src/api/names.ts';
import { keyOf, type ObjectKey } from '#src/api/object.ts';
import { DERIVED_SERVICE_ANNOTATION } from '#src/controllers/derived-service/desired.ts';
import { eventually } from './api.ts';
import { installed, type Peer } from './fixture.ts';
import { SYSTEM } from './install.ts';
import { allowAll, importRule } from './rules.ts';
import { client, dig, get, getMany, namespace, server, service, serviceExport, whenPodsReady } from './workloads.ts';

const SHOP = 'shop-repair';
const STORE = 'store-repair';
const LATE = 'late-repair';
const WEB = { namespace: SHOP, name: 'web' };
const IMPORTED = { namespace: STORE, name: 'web' };
const CLIENT = { namespace: STORE, name: 'client' };
const NAME = 'web.store-repair.svc.clusterset.local';

describe('objects that somebody takes away or changes', () => {
  let east: Peer;
  let west: Peer;
  let derived: ObjectKey;
  let address: string;

  before(async () => {
    ({ east, west } = installed());
    await east.apply(
      ...[namespace(SHOP), server(east, { namespace: SHOP, name: 'server' }), service(WEB, 'server')],
      ...[serviceExport(WEB), allowAll(SHOP)],
    );
    await west.apply(namespace(STORE), allowAll(STORE), ...client(CLIENT), importInto(STORE));
    await Promise.all([whenPodsReady(east, SHOP, 1), whenPodsReady(west, STORE, 1)]);
    const imported = await west.until('ServiceImport', IMPORTED, isReady);
    derived = { namespace: SYSTEM, name: imported?.metadata?.annotations?.[DERIVED_SERVICE_ANNOTATION] ?? '' };
    address = imported?.spec?.ips?.[0] ?? '';
    await eventually('an answer', () => get(west, CLIENT, NAME));
  });

  after(async () => {
    await Promise.all([STORE, LATE].map((name) => west.remove('clusterimportrule', { namespace: '', name })));
    await east.remove('namespace', { namespace: '', name: SHOP });
    await Promise.all([STORE, LATE].map((name) => west.remove('namespace', { namespace: '', name })));
  });

  const importInto = (place: string): object =>
    importRule(place, {
      peers: { names: [east.name] },
      exports: { namespaces: [SHOP], names: ['web'] },
      into: { namespace: place },
    });

  it('the derived Service is edited → its ports and type are put back, its address stays', async () => {
    const [before] = (await west.get('Service', derived))?.spec?.ports ?? [];
    const patch = {
      spec: {
        selector: { app: 'thief' },
        sessionAffinity: 'ClientIP',
        ports: [{ port: 80, protocol: 'TCP', targetPort: 1 }],
      },
    };
    await west.kubectl(['-n', SYSTEM, 'patch', 'service', derived.name, '--patch', JSON.stringify(patch)]);
    const after = await west.until('Service', derived, (object) => {
      const [port] = object?.spec?.ports ?? [];
      const { selector, sessionAffinity } = object?.spec ?? {};
      return port?.targetPort === before?.targetPort && selector?.['app'] === undefined && sessionAffinity === 'None';
    });
    assert.equal(after?.spec?.clusterIP, address);
    await eventually('an answer', () => get(west, CLIENT, NAME));
  });

  it('an endpoint slice is edited → put back', async () => {
    const [slice] = await slicesOf(derived);
    assert.ok(slice !== undefined);
    const before = slice.endpoints;
    const theft = [{ op: 'replace', path: '/endpoints', value: [{ addresses: ['10.244.0.254'] }] }];
    await west.kubectl([
      '-n',
      SYSTEM,
      'patch',
      'endpointslice',
      slice.metadata?.name ?? '',
      '--type=json',
      '--patch',
      JSON.stringify(theft),
    ]);
    await west.until('EndpointSlice', keyOf(slice), (object) => {
      return JSON.stringify(object?.endpoints) === JSON.stringify(before);
    });
  });

  it('endpoint slices are deleted → made again', async () => {
    await west.kubectl(['-n', SYSTEM, 'delete', 'endpointslice', '-l', `kubernetes.io/service-name=${derived.name}`]);
    await west.kubectl(['-n', STORE, 'delete', 'endpointslice', '-l', `${LABELS.managedBy}=${MANAGED_BY}`]);
    await eventually('slices for kube-proxy', async () => (await slicesOf(derived)).length === 1);
    await eventually('slices for readers', async () => (await west.list('EndpointSlice', STORE)).length === 1);
    await eventually('an answer', () => get(west, CLIENT, NAME));
  });

  it('the derived Service is deleted → made again with the same address', async () => {
    const before = await west.get('Service', derived);
    await west.kubectl(['-n', SYSTEM, 'delete', 'service', derived.name]);
    const after = await west.until('Service', derived, (object) => {
      return object !== undefined && object.metadata?.uid !== before?.metadata?.uid;
    });
    assert.equal(after?.spec?.clusterIP, address);
    assert.deepEqual((await west.get('ServiceImport', IMPORTED))?.spec?.ips, [address]);
    await eventually('an answer', () => get(west, CLIENT, NAME));
  });

  it('the ServiceImport is deleted, or its addresses are emptied → made again with the same address', async () => {
    await west.kubectl(['-n', STORE, 'delete', 'serviceimport', 'web', '--wait=false']);
    await west.until('ServiceImport', IMPORTED, (object) => {
      return object?.spec?.ips?.[0] === address && object.metadata?.deletionTimestamp === undefined;
    });
    const patch = JSON.stringify({ spec: { ips: [] } });
    await west.kubectl(['-n', STORE, 'patch', 'serviceimport', 'web', '--type=merge', '--patch', patch]);
    await west.until('ServiceImport', IMPORTED, (object) => object?.spec?.ips?.[0] === address && isReady(object));
  });

  it('the binding is deleted → made again; connections and names come back by themselves', async () => {
    const key = { namespace: SYSTEM, name: 'web.store-repair' };
    const before = await west.get('ImportBinding', key);
    await west.kubectl(['-n', SYSTEM, 'delete', 'importbinding', key.name]);
    const after = await west.until('ImportBinding', key, (object) => {
      return object !== undefined && object.metadata?.uid !== before?.metadata?.uid;
    });
    assert.deepEqual(after?.spec.ports, before?.spec.ports);
    // One answer may be from before the gap.
    await eventually('ten answers', async () => {
      const answered = await getMany(west, CLIENT, NAME, 10);
      assert.equal(answered.filter((who) => !who.startsWith(east.name)).length, 0, answered.join());
      return true;
    });
  });

  it('the namespace of an import is not there yet → skipped and said so; it comes → imported', async () => {
    await west.apply(importInto(LATE));
    const rule = await west.until('ClusterImportRule', { namespace: '', name: LATE }, (object) => {
      return (object?.status?.skipped ?? []).length === 1;
    });
    assert.equal(rule?.status?.skipped?.[0]?.reason, 'NamespaceNotFound');
    await west.apply(namespace(LATE));
    await west.until('ServiceImport', { namespace: LATE, name: 'web' }, isReady);
    assert.equal((await dig(west, CLIENT, `web.${LATE}.svc.clusterset.local`)).length, 1);
  });

  it('the namespace of an import goes → nothing of ours holds it up, and the other import goes on', async () => {
    await west.kubectl(['delete', 'namespace', LATE, '--timeout=60s']);
    assert.equal(await west.get('Namespace', { namespace: '', name: LATE }), undefined);
    await west.until('ImportBinding', { namespace: SYSTEM, name: `web.${LATE}` }, (object) => object === undefined);
    assert.match(await get(west, CLIENT, NAME), new RegExp(`^${east.name}/`));
  });

  it('the namespace of an export goes → its import goes too, without a finalizer', async () => {
    await east.kubectl(['delete', 'namespace', SHOP, '--timeout=60s']);
    await west.until('ServiceImport', IMPORTED, (object) => object === undefined);
  });

  async function slicesOf({ namespace: place, name }: ObjectKey) {
    const slices = await west.list('EndpointSlice', place);
    return slices.filter(({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === name);
  }
});

function isReady(object: { status?: object } | undefined): boolean {
  const { conditions } = (object?.status ?? {}) as { conditions?: never[] };
  return findCondition(conditions, 'Ready')?.status === 'True';
}
