/** Two peers in clusters, each part a process: what goes on, and what stays, while an API server is away. */
import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFabricFiles, createPeerCertFiles } from '#src/fabric/files.ts';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import {
  clusterImportRule,
  describeWrite,
  makeCluster,
  namespace,
  PARTS_USER,
  peer,
  service,
  serviceExport,
  SYSTEM,
  type Cluster,
} from '#test/support/cluster-objects.ts';
import { DNS_PORT, GATEWAY_PORT, loopbackAddress, startProcess } from '#test/support/cluster-process.ts';
import type { PartProcess, ProcessOptions } from '#test/support/cluster-process.ts';
import { waitFor } from '#test/support/wait.ts';

const EXPORTS = 10;
const BACKEND = '10.244.0.10';
const FORCE_TIMEOUT_MS = 90_000;
/** Longer than an absence that counts as withdrawal, where absence is a word of the peer. */
const AWAY_MS = 7_000;
const METRICS_PORTS = { gateway: 19_090, controller: 19_091, dns: 19_092 } as const;
type Part = keyof typeof METRICS_PORTS;

interface Member {
  readonly name: string;
  readonly address: string;
  readonly server: ApiServer;
  readonly cluster: Cluster;
  readonly parts: Map<Part, PartProcess>;
  start(part: Part): Promise<PartProcess>;
}

describe('two peers in clusters, an API server away', function () {
  this.timeout(240_000);
  let folder: string;
  let east: Member;
  let west: Member;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-peers-'));
    const fabric = await createFabricFiles({ path: folder, fabric: 'test' });
    const open = async (name: string): Promise<Member> => {
      const { cert, key } = await createPeerCertFiles({ path: folder, fabric: 'test', peer: name });
      return openMember(name, { ca: fabric.cert, cert, key });
    };
    [east, west] = await Promise.all([open('east'), open('west')]);
    for (const member of [east, west]) await member.cluster.apply(...[SYSTEM, 'shop'].map(namespace), allowAll());
    await west.cluster.apply(
      clusterImportRule('all', { peers: { names: ['east'] }, exports: { all: true }, into: { sameNamespace: true } }),
    );
    await applyPod(east.cluster, { namespace: 'shop', name: 'backend', ip: BACKEND });
    for (let index = 0; index < EXPORTS; index++) await offer(index);
    for (const [member, part] of [
      [east, 'gateway'],
      [east, 'controller'],
      [west, 'gateway'],
      [west, 'controller'],
      [west, 'dns'],
    ] as const)
      await member.start(part);
    await introduce(east, west);
    await introduce(west, east);
    await inForce();
  });
  after(async () => {
    for (const member of [east, west]) {
      for (const part of member?.parts.values() ?? []) await part.end('SIGKILL');
      await member?.server.close();
    }
    await rm(folder, { recursive: true, force: true });
  });

  async function openMember(name: string, files: NonNullable<ProcessOptions['files']>): Promise<Member> {
    const server = await startApiServer();
    const [cluster, address] = [makeCluster(server), loopbackAddress()];
    const kubeconfig = await server.kubeconfigFor(PARTS_USER, ['system:masters']);
    const parts = new Map<Part, PartProcess>();
    const start = async (part: Part): Promise<PartProcess> => {
      const pod = `${part}-0`;
      const metricsPort = METRICS_PORTS[part];
      if (part === 'gateway' && !parts.has(part)) {
        await applyPod(cluster, { namespace: SYSTEM, name: pod, ip: '10.244.1.1' });
      }
      const common = { part, peer: name, pod, address, metricsPort, kubeconfig, files };
      const started = await startProcess({ ...common, folder: join(folder, `parts-${name}`) });
      parts.set(part, started);
      await started.whenReady();
      return started;
    };
    return { name, address, server, cluster, parts, start };
  }

  /** As a kubelet would report it. The API server takes no loopback address in slices: this is not where a gateway listens. */
  async function applyPod(cluster: Cluster, pod: { namespace: string; name: string; ip: string }): Promise<void> {
    const labels = { 'app.kubernetes.io/name': 'clusterlink-mcs', 'app.kubernetes.io/component': 'gateway' };
    const object = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: pod.namespace, name: pod.name, labels } };
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-11-20T10:00:00Z' }];
    const status = { phase: 'Running', podIP: pod.ip, podIPs: [{ ip: pod.ip }], conditions };
    await cluster.apply({ ...object, spec: { containers: [{ name: 'main', image: 'none' }] } });
    await cluster.applyStatus({ ...object, status });
  }

  function allowAll() {
    return {
      apiVersion: 'mcs.clusterlink.net/v1alpha1',
      kind: 'BaselineAccessPolicy',
      metadata: { name: 'all' },
      spec: { action: 'allow', from: [{ workloadSelector: {} }], to: [{ workloadSelector: {} }] },
    };
  }

  const introduce = (here: Member, other: Member) =>
    here.cluster.apply(peer(other.name, [{ host: other.address, port: GATEWAY_PORT }]));
  /** An export with an endpoint: without one there is nothing to listen for. */
  async function offer(index: number): Promise<void> {
    const name = `svc-${index}`;
    await east.cluster.apply(
      service('shop', name),
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { namespace: 'shop', name, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        ports: [{ name: 'main', protocol: 'TCP', port: 80 }],
        endpoints: [
          {
            addresses: [BACKEND],
            conditions: { ready: true },
            targetRef: { kind: 'Pod', namespace: 'shop', name: 'backend' },
          },
        ],
      },
      serviceExport('shop', name),
    );
  }

  /** Resolves when every export of east has binding and ServiceImport in west, and a listener says so. */
  async function inForce(): Promise<void> {
    await waitFor(
      `${EXPORTS} imports are in force`,
      async () => {
        const bindings = await west.cluster.list('ImportBinding', SYSTEM);
        const imports = await west.cluster.list('ServiceImport', 'shop');
        await sleep(100);
        const serving = bindings.filter(({ status }) => (status?.gateways?.[0]?.listening ?? []).length > 0);
        return serving.length === EXPORTS && imports.length === EXPORTS;
      },
      FORCE_TIMEOUT_MS,
    );
  }
  async function addresses(): Promise<string> {
    const imports = await west.cluster.list('ServiceImport', 'shop');
    return JSON.stringify(imports.map(({ metadata, spec }) => [metadata?.name, spec?.ips]));
  }
  /** The time of the hold, when all that east has said is held at west. */
  async function heldSince(): Promise<string | undefined> {
    const records = (await west.cluster.list('PeerRecords', SYSTEM)).flatMap(({ spec }) => spec.records);
    const held = records.flatMap(({ heldSince: since }) => since ?? []).sort();
    return held.length === EXPORTS ? held.at(-1) : undefined;
  }
  async function confirmLoss(since: string): Promise<void> {
    const object = peer(east.name, [{ host: east.address, port: GATEWAY_PORT }]);
    const annotations = { 'mcs.clusterlink.net/accept-loss': since };
    await west.cluster.apply({ ...object, metadata: { ...object.metadata, annotations } });
  }
  const deletions = async (since: number) =>
    (await west.cluster.writes())
      .slice(since)
      .filter(({ verb }) => verb === 'delete')
      .map(describeWrite);

  async function resolve(name: string): Promise<string | undefined> {
    const resolver = new Resolver({ timeout: 1_000, tries: 1 });
    resolver.setServers([`${west.address}:${DNS_PORT}`]);
    const [first] = await resolver.resolve4(`${name}.shop.svc.clusterset.local`);
    return first;
  }
  async function canConnect(port: number): Promise<boolean> {
    const socket = connect(port, west.address);
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }

  it('gateway and DNS restarted while the API server is down → listeners are open and names answered; nothing deleted when it is back', async () => {
    await west.cluster.rest();
    const before = await addresses();
    const writes = (await west.cluster.writes()).length;
    const bindings = await west.cluster.list('ImportBinding', SYSTEM);
    const ports = bindings.map(({ spec }) => spec.ports[0]?.targetPort ?? 0);
    await west.server.stop('SIGKILL');
    for (const part of ['gateway', 'dns'] as const) await west.parts.get(part)?.end();
    assert.equal(await canConnect(ports[0] ?? 0), false);
    for (const part of ['gateway', 'dns'] as const) await west.start(part);
    for (const port of ports) await waitFor(`target port ${port}`, () => canConnect(port), 30_000);
    for (const { spec } of bindings) {
      const address = await waitFor(spec.import.name, () => resolve(spec.import.name).catch(() => undefined), 30_000);
      assert.equal(address, spec.ips?.[0]);
    }
    await west.server.start();
    await inForce();
    await west.cluster.rest();
    assert.deepEqual(await deletions(writes), []);
    assert.equal(await addresses(), before);
  });

  it("the exporter's API server away → its exports stay, and the importer writes nothing", async () => {
    await west.cluster.rest();
    const [before, writes] = [await addresses(), (await west.cluster.writes()).length];
    await east.server.stop('SIGKILL');
    await sleep(AWAY_MS);
    assert.deepEqual((await west.cluster.writes()).slice(writes).map(describeWrite), []);
    await east.server.start();
    await west.cluster.rest();
    assert.deepEqual((await west.cluster.writes()).slice(writes).map(describeWrite), []);
    assert.equal(await addresses(), before);
  });

  it("everything withdrawn while the importer's API server is away → held when it is back, and gone when that is confirmed; exported again → every address again", async () => {
    const before = await addresses();
    await west.server.stop('SIGKILL');
    for (let index = 0; index < EXPORTS; index++) await east.cluster.remove('ServiceExport', 'shop', `svc-${index}`);
    await sleep(AWAY_MS);
    assert.ok(await resolve('svc-0'), 'what was said last is answered meanwhile');
    await west.server.start();
    const since = await waitFor('the records are held', heldSince, FORCE_TIMEOUT_MS);
    // Right after its start the API server asks to be tried again.
    const imports = await waitFor('the imports', () => west.cluster.list('ServiceImport', 'shop'), FORCE_TIMEOUT_MS);
    assert.equal(imports.length, EXPORTS);
    await waitFor('that is confirmed', () => confirmLoss(since).then(() => true), FORCE_TIMEOUT_MS);
    await waitFor(
      'the imports are gone',
      async () => (await west.cluster.list('ServiceImport', 'shop')).length === 0,
      FORCE_TIMEOUT_MS,
    );
    await waitFor(
      'the name is gone',
      () =>
        resolve('svc-0').then(
          () => false,
          (error: NodeJS.ErrnoException) => error.code === 'ENOTFOUND',
        ),
      FORCE_TIMEOUT_MS,
    );
    await west.cluster.rest();
    // The derived Services stay for an hour, for their addresses.
    const kept = await west.cluster.list('Service', SYSTEM);
    assert.equal(
      kept.filter(({ metadata }) => metadata?.annotations?.['mcs.clusterlink.net/unused-since']).length,
      EXPORTS,
    );
    for (let index = 0; index < EXPORTS; index++) await offer(index);
    await inForce();
    assert.equal(await addresses(), before);
  });
});
