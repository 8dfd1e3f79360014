/** Two controllers, of which one leads: killed between two writes, or stopped for longer than its lease. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { clusterImportRule, makeCluster, namespace, peer, peerRecords, SYSTEM } from '#test/support/cluster-objects.ts';
import type { Cluster } from '#test/support/cluster-objects.ts';
import { loopbackAddress, startProcess, type PartProcess } from '#test/support/cluster-process.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeRecord } from '../unit/exchange/samples.ts';

const IMPORTS = 200;
const DONE_TIMEOUT_MS = 120_000;
/** Writes that one turn of the event loop may be about to send: of some dozens a second, which go on for minutes otherwise. */
const UNDER_WAY_MAX = 8;
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${SYSTEM}/leases/clusterlink-mcs-controller`;

describe('two controllers', function () {
  this.timeout(240_000);
  const address = loopbackAddress();
  const running = new Map<string, PartProcess>();
  let server: ApiServer;
  let cluster: Cluster;
  let folder: string;

  before(async () => {
    [server, folder] = [await startApiServer(), await mkdtemp(join(tmpdir(), 'clusterlink-mcs-leaders-'))];
    cluster = makeCluster(server);
    await cluster.apply(
      ...[SYSTEM, 'store'].map(namespace),
      peer('east'),
      clusterImportRule('all', { peers: { all: true }, exports: { all: true }, into: { namespace: 'store' } }),
    );
    for (const name of ['a', 'b']) await start(name);
  });
  after(async () => {
    for (const part of running.values()) await part.end('SIGKILL');
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Each has a user of its own, so that the audit log tells who wrote. */
  async function start(name: string): Promise<void> {
    const kubeconfig = await server.kubeconfigFor(`controller-${name}`, ['system:masters']);
    const metricsPort = name === 'a' ? 19_091 : 19_092;
    const pod = `controller-${name}`;
    running.set(
      name,
      await startProcess({ part: 'controller', peer: 'west', pod, address, metricsPort, kubeconfig, folder }),
    );
    await running.get(name)?.whenReady();
  }

  async function leader(): Promise<string | undefined> {
    const { body } = await server.admin.request<{ spec?: { holderIdentity?: string } }>('GET', LEASE);
    return /^controller-(.)_/.exec(body.spec?.holderIdentity ?? '')?.[1];
  }
  const writesOf = async (name: string) =>
    (await server.writes()).filter(
      ({ user, resource }) => user === `controller-${name}` && !['leases', 'events'].includes(resource),
    );
  const records = (count: number, prefix: string) =>
    Array.from({ length: count }, (_, index) => makeRecord(`${prefix}-${index}`));

  /** Resolves when each of these imports has everything, once. */
  async function complete(names: readonly string[]): Promise<void> {
    const wanted = new Set(names);
    const here = ({ metadata }: { metadata?: { name?: string } }): boolean => wanted.has(metadata?.name ?? '');
    await waitFor(
      `${names.length} imports`,
      async () => {
        const imports = (await cluster.list('ServiceImport', 'store')).filter(here);
        const slices = await cluster.list('EndpointSlice', 'store');
        await sleep(200);
        return (
          imports.filter(({ status }) => status?.conditions !== undefined).length === names.length &&
          slices.filter(({ metadata }) =>
            wanted.has(metadata?.labels?.['multicluster.kubernetes.io/service-name'] ?? ''),
          ).length === names.length
        );
      },
      DONE_TIMEOUT_MS,
    );
    const [imports, services, bindings, slices] = await Promise.all([
      cluster.list('ServiceImport', 'store'),
      cluster.list('Service', SYSTEM),
      cluster.list('ImportBinding', SYSTEM),
      cluster.list('EndpointSlice', 'store'),
    ]);
    // Nothing doubled, nothing left over, and each import has what its own Service was given.
    const counts = [imports, services, bindings, slices].map(({ length }) => length);
    assert.deepEqual(counts, Array(4).fill(names.length));
    const addressByImport = new Map(
      services.map(({ metadata, spec }) => [metadata?.annotations?.['mcs.clusterlink.net/import'], spec?.clusterIP]),
    );
    for (const { metadata, spec } of imports)
      assert.equal(spec?.ips?.join(), addressByImport.get(`store/${metadata?.name}`), metadata?.name ?? '');
    const targetPorts = bindings.flatMap(({ spec }) => spec.ports.map(({ targetPort }) => targetPort));
    assert.equal(new Set(targetPorts).size, names.length);
    for (const { spec } of bindings) assert.equal(spec.ips?.join(), addressByImport.get(`store/${spec.import.name}`));
  }

  it(`the leader killed at three random points while ${IMPORTS} imports are made → the others finish; nothing doubled, nothing lost`, async () => {
    await waitFor('a leader', leader, 30_000);
    await cluster.apply(peerRecords('east', records(IMPORTS, 'db')));
    for (const [round, share] of [0.1, 0.35, 0.6].entries()) {
      const name = await waitFor('a leader', leader, 30_000);
      // Five writes an import; where in it is chance.
      const point = (await writesOf(name)).length + 1 + Math.floor((share * Math.random() + 0.05) * IMPORTS);
      await waitFor(
        'some writes',
        async () => {
          await sleep(20);
          return (
            (await writesOf(name)).length >= point || (await cluster.list('EndpointSlice', 'store')).length === IMPORTS
          );
        },
        DONE_TIMEOUT_MS,
      );
      await running.get(name)?.end('SIGKILL');
      // As if the time of the lease were over, which the test of the lease waits for.
      await server.admin.request('DELETE', LEASE);
      if (round < 2) await start(name);
      else running.delete(name);
    }
    await complete(records(IMPORTS, 'db').map(({ name }) => name));
    // The audit log has no answer for a request whose sender has died: so at most, not exactly.
    const ours = (await server.writes()).filter(({ user }) => user.startsWith('controller-'));
    const made = ours.filter(({ resource, code }) => resource === 'services' && code === 201);
    assert.ok(made.length <= IMPORTS, `${made.length} Services made`);
    assert.deepEqual(
      ours.filter(({ verb, resource }) => verb === 'delete' && resource !== 'leases').map(({ name }) => name),
      [],
    );
  });

  it('the leader stopped in the middle of its work for longer than its lease → the other takes over; awake again, the first begins no write', async () => {
    const first = await waitFor('a leader', leader, 30_000);
    const second = first === 'a' ? 'b' : 'a';
    if (!running.has(second)) await start(second);
    const before = (await writesOf(first)).length;
    await cluster.apply(peerRecords('east', records(IMPORTS, 'web')));
    await waitFor('it has begun', async () => (await writesOf(first)).length > before + 20, 30_000);
    running.get(first)?.signal('SIGSTOP');
    // What was sent before is done and recorded in its own time.
    let stopped = -1;
    await waitFor('what it had sent is recorded', async () => {
      const earlier = stopped;
      stopped = (await writesOf(first)).length;
      return stopped === earlier || (await sleep(1_000), false);
    });
    await waitFor('the other leads', async () => (await leader()) === second, 40_000);
    const names = records(IMPORTS, 'web').map(({ name }) => name);
    await waitFor('it works', async () => (await writesOf(second)).length > 20, 30_000);
    running.get(first)?.signal('SIGCONT');
    await waitFor(
      'what went is gone',
      async () => {
        const imports = await cluster.list('ServiceImport', 'store');
        const bindings = await cluster.list('ImportBinding', SYSTEM);
        await sleep(200);
        if (bindings.length !== IMPORTS) return false;
        return imports.length === IMPORTS && imports.every(({ metadata }) => metadata?.name?.startsWith('web'));
      },
      DONE_TIMEOUT_MS,
    );
    await waitFor('it knows', () => /Stopped leading/.test(running.get(first)?.log() ?? ''));
    const conflicting = (await writesOf(first)).slice(stopped);
    // Stopped between its last question and the system's call, it goes on with that call: nobody can tell the two apart.
    assert.ok(
      conflicting.length <= UNDER_WAY_MAX,
      conflicting.map(({ verb, resource, name }) => `${verb} ${resource} ${name}`).join(),
    );
    // The derived Services of the first hundreds are kept for an hour: those of these are all there, once.
    const bindings = await cluster.list('ImportBinding', SYSTEM);
    assert.deepEqual(bindings.map(({ spec }) => spec.import.name).sort(), [...names].sort());
    assert.equal(new Set(bindings.map(({ spec }) => spec.ips?.join())).size, IMPORTS);
  });
});
