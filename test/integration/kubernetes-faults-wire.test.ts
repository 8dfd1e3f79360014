/** What goes wrong between the controller and its API server: nothing is deleted, nothing is lost, nothing loops. */
import assert from 'node:assert/strict';
import { derivedServiceName } from '#src/controllers/derived-service/name.ts';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { startFaultProxy, type FaultProxy } from '#test/support/api-server/fault-proxy.ts';
import {
  clusterImportRule,
  describeWrite,
  makeCluster,
  namespace,
  PARTS_USER,
  peer,
  peerRecords,
  SYSTEM,
  type Cluster,
} from '#test/support/cluster-objects.ts';
import { startController, type RunningPart } from '#test/support/cluster-parts.ts';
import { waitFor } from '#test/support/wait.ts';
import { makeRecord } from '../unit/exchange/samples.ts';

const IMPORTS = 20;
/** Back-off after failures goes up to 30 s. */
const RECOVERY_TIMEOUT_MS = 60_000;
/** How long requests are answered with an error: longer, and back-off alone makes the test slow. */
const FAULT_MS = 1_500;

describe('controller, faults of the API server', function () {
  this.timeout(180_000);
  let server: ApiServer;
  let cluster: Cluster;
  let proxy: FaultProxy;
  let controller: RunningPart;
  let addresses: string;
  let uids: string;
  let round = 0;

  before(async () => {
    server = await startApiServer();
    cluster = makeCluster(server);
    const kubeconfig = await server.kubeconfigFor(PARTS_USER, ['system:masters']);
    proxy = await startFaultProxy({ url: server.url, kubeconfig });
    await cluster.apply(...[SYSTEM, 'store'].map(namespace), peer('east'));
    controller = await startController({ kubeconfig: proxy.kubeconfig });
    await cluster.apply(
      clusterImportRule('all', { peers: { all: true }, exports: { all: true }, into: { namespace: 'store' } }),
      peerRecords('east', records(0)),
    );
    await complete(0);
    [addresses, uids] = [await addressesOf(), await uidsOf()];
  });
  after(async () => {
    await controller?.close();
    await proxy?.close();
    await server?.close();
  });
  afterEach(() => proxy.inject(() => undefined));

  /** As many exports as there are always; how many endpoints they have says which round it is. */
  const records = (readyEndpoints: number) =>
    Array.from({ length: IMPORTS }, (_, index) => makeRecord(`db-${index}`, { readyEndpoints }));

  /** Resolves when every binding and slice says what the records of that round said. */
  async function complete(wanted: number): Promise<void> {
    await waitFor(
      `round ${wanted} everywhere`,
      async () => {
        const bindings = await cluster.list('ImportBinding', SYSTEM);
        const imports = await cluster.list('ServiceImport', 'store');
        const slices = await cluster.list('EndpointSlice', 'store');
        return (
          bindings.filter(({ spec }) => spec.sources[0]?.readyEndpoints === wanted).length === IMPORTS &&
          imports.filter(({ status }) => status?.conditions !== undefined).length === IMPORTS &&
          slices.filter(({ endpoints }) => endpoints[0]?.conditions?.ready === wanted > 0).length === IMPORTS
        );
      },
      RECOVERY_TIMEOUT_MS,
    );
  }

  /** Changes every export; resolves with what was written until all is in force. */
  async function change(): Promise<readonly string[]> {
    const before = (await cluster.writes()).length;
    round += 1;
    await cluster.apply(peerRecords('east', records(round % 2)));
    await complete(round % 2);
    return (await cluster.rest()).slice(before).map(describeWrite);
  }

  async function addressesOf(): Promise<string> {
    const imports = await cluster.list('ServiceImport', 'store');
    return JSON.stringify(imports.map(({ metadata, spec }) => [metadata?.name, spec?.ips]));
  }
  async function uidsOf(): Promise<string> {
    const all = await Promise.all([
      cluster.list('ServiceImport', 'store'),
      cluster.list('ImportBinding', SYSTEM),
      cluster.list('Service', SYSTEM),
      cluster.list('EndpointSlice', 'store'),
    ]);
    return JSON.stringify(all.flat().map(({ metadata }) => metadata?.uid));
  }
  /** Every object is the one that it was, with its address, and nothing was deleted. */
  async function nothingLost(writes: readonly string[]): Promise<void> {
    assert.deepEqual(
      writes.filter((write) => write.startsWith('delete')),
      [],
    );
    assert.equal(await addressesOf(), addresses);
    assert.equal(await uidsOf(), uids);
  }
  const lists = (): number => proxy.requests.filter(({ path }) => /[?&]limit=/.test(path)).length;

  it('no fault → a change of an export costs two writes: binding and slice', async () => {
    const writes = await change();
    assert.equal(writes.length, 2 * IMPORTS, writes.join('\n'));
    await nothingLost(writes);
  });

  it('every watch cut in the middle of an event → followed again from where it was, no kind listed anew', async () => {
    const before = lists();
    proxy.cutWatches();
    const writes = await change();
    assert.equal(lists(), before);
    assert.equal(writes.length, 2 * IMPORTS, writes.join('\n'));
    await nothingLost(writes);
  });

  for (const code of [410, 500]) {
    it(`every watch ended by an event of error ${code} → ${code === 410 ? 'listed' : 'followed'} again, no write too many`, async () => {
      proxy.endWatches(code);
      const writes = await change();
      assert.equal(writes.length, 2 * IMPORTS, writes.join('\n'));
      await nothingLost(writes);
    });
  }

  const table = [
    { title: '429 with Retry-After', fault: { status: 429, headers: { 'retry-after': '1' } } },
    { title: '500', fault: { status: 500 } },
  ];
  for (const { title, fault } of table) {
    it(`${title} for every second write and every list → all is done in the end`, async () => {
      let count = 0;
      proxy.inject(({ method, isWatch, path }) => {
        if (path.includes('/leases/')) return undefined;
        return (method === 'GET' && !isWatch) || (count += 1) % 2 === 0 ? fault : undefined;
      });
      proxy.endWatches(410);
      const before = proxy.requests.length;
      setTimeout(() => proxy.inject(() => undefined), FAULT_MS).unref();
      const writes = await change();
      const asked = proxy.requests.slice(before);
      await nothingLost(writes);
      // Of all kinds together: back-off keeps it to some requests a second, not hundreds.
      assert.ok(asked.length < 30 * IMPORTS, `${asked.length} requests`);
    });
  }

  it('etcd stands still for some seconds while exports change → done when it goes on; nothing twice', async () => {
    await cluster.rest();
    await server.pauseEtcd();
    setTimeout(() => void server.resumeEtcd(), 4_000);
    await nothingLost(await change());
  });

  it('the API server killed, exports change when it is back → nothing deleted, everything in force', async () => {
    await server.stop('SIGKILL');
    await server.start();
    await nothingLost(await change());
    const derived = await cluster.get('Service', SYSTEM, derivedServiceName({ namespace: 'store', name: 'db-0' }));
    assert.equal(derived?.metadata?.annotations?.['mcs.clusterlink.net/unused-since'], undefined);
  });

  it('the controller down while exports come, go and change; the API server down at its start → as said last', async () => {
    await controller.close();
    await cluster.apply(peerRecords('east', [...records(0).slice(1), makeRecord('late')]));
    await server.stop('SIGKILL');
    controller = await startController({ kubeconfig: proxy.kubeconfig });
    assert.match(controller.health.missing().join(), /waits for a first list/);
    await server.start();
    await waitFor('the late one', () => cluster.get('ServiceImport', 'store', 'late'), RECOVERY_TIMEOUT_MS);
    await waitFor('the one that went', async () => (await cluster.get('ServiceImport', 'store', 'db-0')) === undefined);
    assert.deepEqual(controller.health.missing(), []);
    await cluster.apply(peerRecords('east', records(1)));
    await waitFor('it went', async () => (await cluster.get('ServiceImport', 'store', 'late')) === undefined);
    await complete(1);
    // It returned within the hour: its derived Service was kept, and its address with it.
    assert.equal(await addressesOf(), addresses);
  });
});
