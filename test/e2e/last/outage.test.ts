import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { findCondition } from '#src/api/conditions.ts';
import type { TestCluster } from '#test/clusters/pair.ts';
import { eventually } from '../api.ts';
import { installed, needNodes, type Peer } from '../fixture.ts';
import { SYSTEM } from '../install.ts';
import { podsOf } from '../metrics.ts';
import { containerOf, killContainer, runningContainers } from '../processes.ts';
import type { LoadReport } from '../programs.ts';
import { allowAll, importRule } from '../rules.ts';
import { client, loadPod, namespace, readLoad, server, service, serviceExport, whenPodsReady } from '../workloads.ts';

const SHOP = 'shop-outage';
const STORE = 'store-outage';
const WEB = { namespace: SHOP, name: 'web' };
const IMPORTED = { namespace: STORE, name: 'web' };
const BY_NAME = { namespace: STORE, name: 'by-name' };
/** New connections a second, each with a query for the name. */
const RATE = 10;
/** Of restarting a container: the kubelet's reaction, and a start of Node on a busy machine. */
const RESTART_TIMEOUT_MS = 30_000;
/** From a container's start to serving what it kept: it asks the API server for 3 s before, and Node starts late on a busy machine. */
const KEPT_STATE_MS = 10_000;
/** Kubernetes' own watches wait for up to a minute after a failure. */
const CLUSTER_BACK_TIMEOUT_MS = 150_000;

describe('the API server of the importing cluster is away', () => {
  let east: Peer;
  let west: Peer;
  let node: TestCluster;
  let beforeVersions: ReadonlyMap<string, string>;
  /** Seconds since 1970 between which the API server was away, and both a gateway and a DNS responder had been killed. */
  let goneFrom: number;
  let killedFrom: number;
  let killedTo: number;

  before(async function () {
    ({ west: node } = needNodes(this));
    ({ east, west } = installed());
    await east.apply(
      ...[namespace(SHOP), server(east, { namespace: SHOP, name: 'server' }), service(WEB, 'server')],
      ...[serviceExport(WEB), allowAll(SHOP)],
    );
    await west.apply(
      ...[namespace(STORE), allowAll(STORE)],
      importRule('outage', {
        peers: { names: [east.name] },
        exports: { namespaces: [SHOP], names: ['web'] },
        into: { namespace: STORE },
      }),
    );
    await whenPodsReady(east, SHOP, 1);
    await west.until('ServiceImport', IMPORTED, isReady);
    await west.apply(
      loadPod(BY_NAME, { host: 'web.store-outage.svc.clusterset.local', port: 7000, rate: RATE, long: 2 }),
    );
    await whenPodsReady(west, STORE, 1);
    await eventually('connections', async () => (await readLoad(west, BY_NAME)).ok > RATE);
  });

  after(async function () {
    if (node === undefined) return;
    this.timeout(CLUSTER_BACK_TIMEOUT_MS + 30_000);
    // The next tests need the cluster's own controllers and scheduler, whose watches come back one after the other.
    const probe = { namespace: 'after-outage', name: 'probe' };
    await west.apply(namespace(probe.namespace), ...client(probe, { serviceAccount: 'probe' }));
    await whenPodsReady(west, probe.namespace, 1, CLUSTER_BACK_TIMEOUT_MS);
    await west.remove('namespace', { namespace: '', name: probe.namespace });
    await west.remove('clusterimportrule', { namespace: '', name: 'outage' });
    await east.remove('namespace', { namespace: '', name: SHOP });
    await west.remove('namespace', { namespace: '', name: STORE });
  });

  it('it goes, and a gateway and a DNS responder crash meanwhile → both come back and serve what they kept', async function () {
    this.timeout(180_000);
    beforeVersions = await versions();
    const victims = await Promise.all((['gateway', 'dns'] as const).map((component) => podsOf(west, component)));
    await node.stopDaemon('kube-apiserver', 'SIGKILL');
    goneFrom = Date.now() / 1000;
    // Long enough for probes, watches and leases to notice: the lease of a leader is over after 15 s.
    await sleep(17_000);
    killedFrom = Date.now() / 1000;
    const containers = victims.flatMap(([pod]) => (pod === undefined ? [] : [containerOf(pod)]));
    assert.equal(containers.length, 2);
    const before = await runningContainers(node);
    for (const id of containers) await killContainer(node, id);
    await eventually(
      'the kubelet has restarted them',
      async () => {
        const now = await runningContainers(node);
        return now.size === before.size && containers.every((id) => !now.has(id));
      },
      RESTART_TIMEOUT_MS,
    );
    // Their siblings go as well: from here on nothing serves but what the state folders hold.
    const others = victims.flatMap(([, pod]) => (pod === undefined ? [] : [containerOf(pod)]));
    assert.equal(others.length, 2);
    // DESIGN §3.5: a few seconds are given to the API server before what was kept is taken.
    await sleep(KEPT_STATE_MS);
    for (const id of others) await killContainer(node, id);
    await eventually('and these', async () => (await runningContainers(node)).size === before.size, RESTART_TIMEOUT_MS);
    killedTo = Date.now() / 1000 + KEPT_STATE_MS / 1000;
    await sleep(KEPT_STATE_MS + 5_000);
    await node.startDaemon('kube-apiserver');
    await west.node?.waitUntilReady();
  });

  it('before anything crashed → no connection and no name was lost', async () => {
    const report = await readLoad(west, BY_NAME);
    const lost = report.failed.filter(({ at }) => at / 1000 > goneFrom && at / 1000 < killedFrom - 0.5);
    assert.deepEqual(lost, []);
    assert.ok(connectionsBetween(report, goneFrom + 1, killedFrom - 1) > 10 * RATE);
  });

  it('after both had crashed → new connections by name are served', async () => {
    const report = await readLoad(west, BY_NAME);
    assert.ok(connectionsBetween(report, killedTo + 1, killedTo + 4) >= 2 * RATE, JSON.stringify(report.perSecond));
    assert.ok(report.long.every(({ corrupt }) => !corrupt));
  });

  it('it is back → nothing was deleted or made anew, and it comes to rest', async () => {
    await eventually('the import is ready', async () => isReady(await west.get('ServiceImport', IMPORTED)), 60_000);
    for (const component of ['gateway', 'controller', 'dns'] as const) {
      await west.kubectl([
        '-n',
        SYSTEM,
        'rollout',
        'status',
        `deployment/clusterlink-mcs-${component}`,
        '--timeout=60s',
      ]);
    }
    // The API server opens its stores one after the other.
    const after = await eventually('every kind is read', versions);
    const uidOf = (version: string): string => version.split(' ')[0] ?? '';
    // A hold of records can end meanwhile, and with it an object that they had beside the peer's first one: `<peer>.<n>`.
    const lasting = [...beforeVersions].filter(([name]) => !/^PeerRecords .*\./.test(name));
    for (const [name, version] of lasting) {
      assert.equal(uidOf(after.get(name) ?? 'gone'), uidOf(version), name);
    }
    const settled = await eventually('no write in five seconds', atRest, 60_000);
    assert.ok(settled);
    const report = await readLoad(west, BY_NAME);
    await eventually('connections', async () => (await readLoad(west, BY_NAME)).ok > report.ok + RATE);
  });

  function connectionsBetween({ perSecond }: LoadReport, from: number, to: number): number {
    const seconds = Object.entries(perSecond).filter(([second]) => Number(second) >= from && Number(second) <= to);
    return seconds.reduce((sum, [, count]) => sum + count, 0);
  }

  /** uid and resourceVersion of what the product has written for the import. */
  async function versions(): Promise<ReadonlyMap<string, string>> {
    const lists = {
      ServiceImport: await west.list('ServiceImport', STORE),
      EndpointSlice: await west.list('EndpointSlice', STORE),
      Service: await west.list('Service', SYSTEM),
      ImportBinding: await west.list('ImportBinding', SYSTEM),
      PeerRecords: await west.list('PeerRecords', SYSTEM),
    };
    return new Map(
      Object.entries(lists).flatMap(([kind, objects]) =>
        objects.map(({ metadata }): [string, string] => [
          `${kind} ${metadata?.namespace}/${metadata?.name}`,
          `${metadata?.uid} ${metadata?.resourceVersion}`,
        ]),
      ),
    );
  }

  async function atRest(): Promise<boolean> {
    const first = await versions();
    await sleep(5_000);
    assert.deepEqual(await versions(), first);
    return true;
  }
});

function isReady(object: { status?: object } | undefined): boolean {
  const { conditions } = (object?.status ?? {}) as { conditions?: never[] };
  return findCondition(conditions, 'Ready')?.status === 'True';
}
