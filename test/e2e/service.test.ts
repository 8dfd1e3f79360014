import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import { DERIVED_SERVICE_ANNOTATION } from '#src/controllers/derived-service/desired.ts';
import { eventually } from './api.ts';
import { installed, type Peer } from './fixture.ts';
import { SYSTEM } from './install.ts';
import { allowAll, importRule } from './rules.ts';
import {
  client,
  CURL,
  dig,
  get,
  getMany,
  tryGet,
  namespace,
  server,
  service,
  serviceExport,
  whenPodsReady,
} from './workloads.ts';

const SHOP = 'shop';
const STORE = 'store';
const WEB = { namespace: SHOP, name: 'web' };
const IMPORTED = { namespace: STORE, name: 'web' };
const CLIENT = { namespace: STORE, name: 'client' };
const NAME = 'web.store.svc.clusterset.local';
const isTrue = (object: { status?: object } | undefined, type: string): boolean =>
  findCondition((object?.status as { conditions?: never } | undefined)?.conditions, type)?.status === 'True';

describe('a Service of another cluster', () => {
  let east: Peer;
  let west: Peer;

  before(async () => {
    ({ east, west } = installed());
    const shop = (peer: Peer): Promise<void> =>
      peer.apply(
        namespace(SHOP),
        server(peer, { namespace: SHOP, name: 'server' }, 2),
        service(WEB, 'server'),
        allowAll(SHOP),
      );
    await Promise.all([shop(east), shop(west)]);
    await west.apply(namespace(STORE), allowAll(STORE), ...client(CLIENT));
    await Promise.all([whenPodsReady(east, SHOP, 2), whenPodsReady(west, SHOP, 2), whenPodsReady(west, STORE, 1)]);
  });

  after(async () => {
    await west.remove('clusterimportrule', { namespace: '', name: 'web' });
    for (const peer of [east, west]) {
      await Promise.all([SHOP, STORE].map((name) => peer.remove('namespace', { namespace: '', name })));
    }
  });

  const rule = (spec: object): object =>
    importRule('web', {
      peers: { names: [east.name] },
      exports: { namespaces: [SHOP], names: ['web'] },
      into: { namespace: STORE },
      ...spec,
    });

  it('exported there and imported here → both are Ready, and kubectl shows type, address and state', async () => {
    await Promise.all([east.apply(serviceExport(WEB)), west.apply(rule({}))]);
    const exported = await east.until('ServiceExport', WEB, (object) => isTrue(object, 'Ready'));
    assert.ok(isTrue(exported, 'Valid'));
    const imported = await west.until('ServiceImport', IMPORTED, (object) => isTrue(object, 'Ready'));

    const derivedName = imported?.metadata?.annotations?.[DERIVED_SERVICE_ANNOTATION] ?? '';
    const derived = await west.get('Service', { namespace: SYSTEM, name: derivedName });
    const address = derived?.spec?.clusterIP ?? '';
    assert.deepEqual(imported?.spec?.ips, [address]);
    assert.deepEqual(imported.status?.clusters, [{ cluster: east.name }]);
    const names = imported.spec.ports?.map(({ name, port, protocol }) => `${name} ${protocol}/${port}`);
    assert.deepEqual(names, ['http TCP/80', 'echo TCP/7000']);

    const shown = (peer: Peer, place: string, what: string): Promise<string> =>
      peer.kubectl(['-n', place, 'get', what, '--no-headers']);
    assert.match(
      await shown(west, STORE, 'serviceimports'),
      new RegExp(`^web +ClusterSetIP +\\["${address}"\\] +\\S+\n$`),
    );
    assert.match(await shown(west, SYSTEM, 'importbindings'), /^web\.store\b/);
    assert.match(await shown(east, SHOP, 'serviceexports'), /^web\b/);
    assert.match(await east.kubectl(['-n', SHOP, 'describe', 'serviceexport', 'web']), /Ready/);
  });

  it('used by a pod → its name resolves through CoreDNS and connections arrive at every endpoint', async () => {
    const [address] = (await west.get('ServiceImport', IMPORTED))?.spec?.ips ?? [];
    assert.deepEqual(await dig(west, CLIENT, NAME), [address]);
    // kube-proxy takes up to a second to act on what Ready is true of.
    await eventually('a first answer', () => get(west, CLIENT, NAME));
    const answered = await getMany(west, CLIENT, NAME, 40);
    const servers = new Set(answered);
    assert.equal(answered.filter((who) => !who.startsWith(`${east.name}/server-`)).length, 0, answered.join());
    assert.equal(servers.size, 2, 'of two pods only one answered');
  });

  it('asked for its ports → SRV names port and target, and only those', async () => {
    assert.deepEqual(await dig(west, CLIENT, `_http._tcp.${NAME}`, 'SRV'), [`0 100 80 ${NAME}.`]);
    assert.deepEqual(await dig(west, CLIENT, `_echo._tcp.${NAME}`, 'SRV'), [`0 100 7000 ${NAME}.`]);
    assert.deepEqual(await dig(west, CLIENT, `_other._tcp.${NAME}`, 'SRV'), []);
  });

  it('exported by both clusters → one import of the same address, and the pods of the client’s own cluster first', async () => {
    const before = await west.get('ServiceImport', IMPORTED);
    await Promise.all([west.apply(serviceExport(WEB)), west.apply(rule({ peers: { all: true } }))]);
    const both = [{ cluster: east.name }, { cluster: west.name }];
    const merged = await west.until('ServiceImport', IMPORTED, (object) => object?.status?.clusters?.length === 2);
    assert.deepEqual(merged?.status?.clusters, both);
    assert.deepEqual(merged.spec?.ips, before?.spec?.ips);
    await usableSources(2);
    const answered = await getMany(west, CLIENT, NAME, 20);
    assert.equal(answered.filter((who) => !who.startsWith(`${west.name}/`)).length, 0, answered.join());
  });

  it('localFirst is off → both clusters answer', async () => {
    await west.apply(rule({ peers: { all: true }, loadBalancing: { localFirst: false } }));
    await west.until(
      'ImportBinding',
      { namespace: SYSTEM, name: 'web.store' },
      (object) => object?.spec.loadBalancing?.localFirst === false,
    );
    const answered = await getMany(west, CLIENT, NAME, 40);
    const count = (peer: Peer): number => answered.filter((who) => who.startsWith(`${peer.name}/`)).length;
    assert.equal(count(east) + count(west), 40, answered.join());
    assert.ok(count(east) >= 8 && count(west) >= 8, `east ${count(east)}, west ${count(west)}`);
  });

  it('session affinity ClientIP is exported → one client stays with one pod of one cluster', async () => {
    const sticky = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } };
    await Promise.all([east.apply(service(WEB, 'server', sticky)), west.apply(service(WEB, 'server', sticky))]);
    await west.until('ServiceImport', IMPORTED, (object) => object?.spec?.sessionAffinity === 'ClientIP');
    await west.until(
      'ImportBinding',
      { namespace: SYSTEM, name: 'web.store' },
      (object) => object?.spec.loadBalancing?.affinityTimeoutSeconds === 600,
    );
    await get(west, CLIENT, NAME);
    const answered = await getMany(west, CLIENT, NAME, 30);
    assert.equal(new Set(answered).size, 1, answered.join());
    assert.match(answered[0] ?? '', /server-/);
  });

  it('one cluster withdraws its export → the other goes on alone, and no connection is lost', async () => {
    const running = getMany(west, CLIENT, NAME, 60);
    await west.remove('serviceexport', WEB);
    await west.until('ServiceImport', IMPORTED, (object) => object?.status?.clusters?.length === 1);
    const answered = await running;
    assert.equal(answered.filter((who) => !who.includes('/server-')).length, 0, answered.join());
    assert.equal(new Set(await getMany(west, CLIENT, NAME, 10)).size, 1);
    assert.ok((await get(west, CLIENT, NAME)).startsWith(`${east.name}/`));
  });

  it('the last export goes → import, name and endpoints go', async () => {
    await east.remove('serviceexport', WEB);
    await west.until('ServiceImport', IMPORTED, (object) => object === undefined);
    await west.until('ImportBinding', { namespace: SYSTEM, name: 'web.store' }, (object) => object === undefined);
    // CoreDNS keeps an answer for its TTL.
    await eventually('the name is gone', async () => (await dig(west, CLIENT, NAME)).length === 0);
    assert.equal((await tryGet(west, CLIENT, NAME)).code, CURL.unknownHost);
  });

  async function usableSources(count: number): Promise<void> {
    await west.until('ImportBinding', { namespace: SYSTEM, name: 'web.store' }, (object) =>
      (object?.status?.gateways ?? []).every(({ sources }) => sources.filter(({ usable }) => usable).length === count),
    );
  }
});
