import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { findCondition } from '#src/api/conditions.ts';
import type { ObjectKey } from '#src/api/object.ts';
import type { TestCluster } from '#test/clusters/pair.ts';
import { eventually } from './api.ts';
import { installed, needNodes, type Peer } from './fixture.ts';
import { SYSTEM } from './install.ts';
import { podsOf } from './metrics.ts';
import { containerOf, killContainer, trackedPeers } from './processes.ts';
import type { LoadReport } from './programs.ts';
import { allowAll, importRule } from './rules.ts';
import { isReady, loadPod, namespace, readLoad, server, service, serviceExport, whenPodsReady } from './workloads.ts';

const SHOP = 'shop-roll';
const STORE = 'store-roll';
const IMPORTS = 200;
const RATE = 200;
const LONG = 20;
/** `drainSeconds` of the manifests. */
const DRAIN_MS = 30_000;
/** A killed gateway gets no new connections after it: DESIGN, issue B. */
const OUT_OF_USE_MS = 5_000;
/** Of 200 imports, and of the namespaces that they were in. */
const REMOVED_TIMEOUT_MS = 120_000;
/** Between the clock of the API server's deletion, which has whole seconds, and the signal. */
const SLACK_MS = 1_500;

describe('gateways are replaced under 200 connections a second, 20 transfers and 200 imports', () => {
  let east: Peer;
  let west: Peer;
  let node: TestCluster;
  let host: string;

  before(async function () {
    this.timeout(180_000);
    ({ west: node } = needNodes(this));
    ({ east, west } = installed());
    const names = Array.from({ length: IMPORTS }, (_, index) => `web-${index}`);
    await east.apply(
      ...[namespace(SHOP), server(east, { namespace: SHOP, name: 'server' }, 2), allowAll(SHOP)],
      ...names.map((name) => service({ namespace: SHOP, name }, 'server')),
      ...names.map((name) => serviceExport({ namespace: SHOP, name })),
    );
    await west.apply(
      ...[namespace(STORE), allowAll(STORE)],
      importRule('roll', {
        peers: { names: [east.name] },
        exports: { namespaces: [SHOP] },
        into: { namespace: STORE },
      }),
    );
    await whenPodsReady(east, SHOP, 2);
    await eventually(
      'all imports are ready',
      async () => {
        const imports = await west.list('ServiceImport', STORE);
        const ready = imports.filter(
          ({ status }) => findCondition(status?.conditions as never, 'Ready')?.status === 'True',
        );
        return ready.length === IMPORTS;
      },
      90_000,
    );
    host = (await west.get('ServiceImport', { namespace: STORE, name: 'web-0' }))?.spec?.ips?.[0] ?? '';
  });

  after(async function () {
    if (node === undefined) return;
    this.timeout(REMOVED_TIMEOUT_MS + 30_000);
    await west.remove('clusterimportrule', { namespace: '', name: 'roll' });
    await east.remove('namespace', { namespace: '', name: SHOP });
    await west.remove('namespace', { namespace: '', name: STORE });
    // The next file would have to wait for it.
    await eventually(
      'all of it is gone',
      async () => {
        const places = [
          await east.get('Namespace', { namespace: '', name: SHOP }),
          await west.get('Namespace', { namespace: '', name: STORE }),
        ];
        if (places.some((place) => place !== undefined)) return false;
        return (await west.list('ImportBinding', SYSTEM)).every(({ spec }) => spec.import.namespace !== STORE);
      },
      REMOVED_TIMEOUT_MS,
    );
  });

  for (const side of ['importing', 'exporting'] as const) {
    it(`a rolling update of the ${side} gateways → nothing is refused, and nothing is cut before the drain is over`, async function () {
      this.timeout(180_000);
      const key = { namespace: STORE, name: `load-${side}` };
      const gatewayByPort = await startLoad(key, RATE);
      const rolled = side === 'importing' ? west : east;
      const startedMs = Date.now();
      const deletedMs = await roll(rolled);
      await sleep(3_000);
      const report = await readLoad(west, key);
      await west.remove('pod', key);
      const seconds = (Date.now() - startedMs) / 1000;
      assert.equal(report.failedCount, 0, describeFailures(report, deletedMs));
      assert.ok(report.ok / seconds > RATE / 2, `only ${report.ok} connections in ${seconds} s`);
      assert.equal(report.long.filter(({ corrupt }) => corrupt).length, 0);
      assert.ok(report.long.every(({ bytes }) => bytes > 20 * 8192));
      const firstDeletedMs = Math.min(...deletedMs.values());
      for (const { localPort, endedAt, why, again } of report.long) {
        if (endedAt === undefined) continue;
        // The gateway that has cut it serves for a while who calls again from the same port.
        assert.equal(again, 'greeted', `the call after ${why}`);
        // Which of the exporter's gateways carries a transfer is not seen from here: the first that went, at the earliest.
        const goneMs = side === 'importing' ? deletedMs.get(gatewayByPort.get(localPort) ?? '') : firstDeletedMs;
        assert.ok(goneMs !== undefined, `a transfer by a gateway that stayed was cut: ${why}`);
        assert.ok(
          endedAt - goneMs >= DRAIN_MS - SLACK_MS,
          `cut ${endedAt - goneMs} ms after its gateway was told to go`,
        );
      }
    });
  }

  it('a gateway is killed → its own connections end, no others, and it is out of use within 5 s', async function () {
    this.timeout(120_000);
    const key = { namespace: STORE, name: 'load-killed' };
    const gatewayByPort = await startLoad(key, RATE / 2);
    const [victim] = await podsOf(west, 'gateway');
    assert.ok(victim !== undefined);
    const address = victim.status?.podIP ?? '';
    const killedMs = Date.now();
    await killContainer(node, containerOf(victim));
    await sleep(OUT_OF_USE_MS + 3_000);
    await eventually('it is back', async () => {
      const pod = await west.get('Pod', { namespace: SYSTEM, name: victim.metadata?.name ?? '' });
      return pod !== undefined && isReady(pod) && containerOf(pod) !== containerOf(victim);
    });
    await sleep(3_000);
    const report = await readLoad(west, key);
    await west.remove('pod', key);
    const late = report.failed.filter(({ at }) => at > killedMs + OUT_OF_USE_MS);
    assert.equal(late.length, 0, describeFailures(report, new Map([[address, killedMs]])));
    for (const { localPort, endedAt } of report.long) {
      const isVictims = gatewayByPort.get(localPort) === address;
      assert.equal(endedAt !== undefined, isVictims, `transfer by ${gatewayByPort.get(localPort)} ended ${endedAt}`);
    }
    assert.ok(report.long.some(({ endedAt }) => endedAt === undefined));
  });

  /** Which gateway has each transfer, by the client's port. */
  async function startLoad(key: ObjectKey, rate: number): Promise<ReadonlyMap<number, string>> {
    await west.apply(loadPod(key, { host, port: 7000, rate, long: LONG }));
    const long = await eventually(
      'all transfers run',
      async () => {
        const report = await readLoad(west, key);
        return report.ok > 2 * rate && report.long.every(({ bytes }) => bytes > 0) ? report.long : undefined;
      },
      60_000,
    );
    const from = (await west.get('Pod', key))?.status?.podIP ?? '';
    const tracked = await trackedPeers(node, { from, host, port: 7000 });
    assert.ok(long.every(({ localPort }) => tracked.has(localPort)));
    return tracked;
  }

  /** By the address of each gateway that was there: when it was told to go, ms since 1970. Resolves when all of them are gone. */
  async function roll(peer: Peer): Promise<ReadonlyMap<string, number>> {
    const old = await podsOf(peer, 'gateway');
    const names = new Set(old.map(({ metadata }) => metadata?.name));
    const deletedMs = new Map<string, number>();
    await peer.kubectl(['-n', SYSTEM, 'rollout', 'restart', 'deployment/clusterlink-mcs-gateway']);
    await eventually(
      'the old gateways are gone',
      async () => {
        const left = (await peer.list('Pod', SYSTEM)).filter(({ metadata }) => names.has(metadata?.name));
        for (const { metadata, status } of left) {
          const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = metadata ?? {};
          // The last word of the kubelet has another time.
          if (deletionTimestamp === undefined || deletedMs.has(status?.podIP ?? '')) continue;
          deletedMs.set(status?.podIP ?? '', Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000);
        }
        return left.length === 0;
      },
      150_000,
    );
    assert.equal(deletedMs.size, old.length);
    return deletedMs;
  }
});

/** By how and when, in tenths of a second since the first gateway went. */
function describeFailures(
  { failed, failedCount, started }: LoadReport,
  deletedMs: ReadonlyMap<string, number>,
): string {
  const beganMs = Math.min(...deletedMs.values());
  const sorts = Map.groupBy(failed, ({ at, why }) => `${why} at ${((at - beganMs) / 1000).toFixed(1)} s`);
  const lines = [...sorts].map(([sort, { length }]) => `${length} ${sort}`);
  const gone = [...deletedMs]
    .map(([address, ms]) => `${address} at ${((ms - beganMs) / 1000).toFixed(1)} s`)
    .join(', ');
  return `${failedCount} of ${started} failed; gateways went: ${gone}: ${lines.slice(0, 50).join('; ')}`;
}
