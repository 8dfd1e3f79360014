/**
 * Two real ClusterLink peers, each with its own API server, control plane and data plane, in network namespaces, since their ports
 * are fixed. Clients and services are on this machine's end of a bridge.
 */
import { join } from 'node:path';
import { freePort } from '#test/support/standalone.ts';
import { makePolicy } from '#test/support/clusterlink/decision-rows.ts';
import { waitFor } from '#test/support/wait.ts';
import { openFabric } from '../../interop/fabric.ts';
import { makeNetwork, MTU_MAX, type Network } from '../../interop/real/network.ts';
import { startSite, type Site } from '../../interop/real/site.ts';
import type { SideObjects } from '../../interop/side.ts';
import { echoOnce } from '../../interop/sockets.ts';
import type { ClusterlinkName, ClusterlinkPrograms } from './clusterlink.ts';
import { startLoad } from './load.ts';
import { PORTS } from './our-manifests.ts';
import {
  EXPORTER,
  FABRIC,
  IMPORTER,
  SERVICES,
  type Pair,
  type PairStage,
  type Places,
  type ServiceName,
  type System,
} from './system.ts';

const OUR_CRDS = join(import.meta.dirname, '../../../crds');
const FLAVOURS = { 'clusterlink-go': 'go', 'clusterlink-envoy': 'envoy' } as const;
/** Heartbeats come every ten seconds at worst, and data planes learn of imports one by one. */
const TRAFFIC_WAIT_MS = 60_000;

/** Rivals that share one bridge, which is there from the first start to `close`. Needs root and iproute2. */
export function makeClusterlinks(programs: ClusterlinkPrograms, names: readonly ClusterlinkName[]): readonly System[] {
  let made: Promise<Network> | undefined;
  const network = (): Promise<Network> => (made ??= makeNetwork({ mtu: MTU_MAX }));
  return names.map((name) => ({
    name,
    version: programs.versions[name],
    settings: [
      `defaults, log level warn; CPU and memory of both control planes count too, which decide on each tunnel; no other policy, ${SERVICES.length} imports`,
      `in network namespaces, over veths with an MTU of ${MTU_MAX}; two API servers run beside them and do not count`,
    ],
    start: async (stage) => await startClusterlinkPair({ stage, name, programs, network: await network() }),
    async close() {
      await (await made)?.close();
    },
  }));
}

interface PairOptions {
  readonly stage: PairStage;
  readonly name: ClusterlinkName;
  readonly programs: ClusterlinkPrograms;
  readonly network: Network;
}

async function startClusterlinkPair({ stage, name, programs, network }: PairOptions): Promise<Pair> {
  await using failing = new AsyncDisposableStack();
  const services = await startServices(stage, network.host);
  const where = {
    network,
    fabric: openFabric({ path: stage.folder, fabric: FABRIC, peers: [EXPORTER, IMPORTER] }),
    programs: programs.folder,
    crds: OUR_CRDS,
    envoy: programs.envoy,
    logLevel: 'warn',
    flavour: FLAVOURS[name],
  } as const;
  const start = async (peer: string): Promise<Site> => {
    const site = await startSite({ ...where, name: peer });
    failing.defer(() => site.close());
    return site;
  };
  // One after the other: an API server that starts takes both cores, and the second one's deadlines with them.
  const [east, west] = [await start(EXPORTER), await start(IMPORTER)];
  await east.apply(toExporterObjects(services));
  await west.apply(toImporterObjects(east));
  await waitFor(`${EXPORTER} is reachable`, () => west.reachable(EXPORTER), TRAFFIC_WAIT_MS);
  const [iperf3, echo] = [await west.importAddress('store/iperf3'), await west.importAddress('store/echo')];
  await waitFor('bytes pass', () => echoOnce(echo, 'first').then(() => true), TRAFFIC_WAIT_MS);
  const running = failing.move();
  return {
    entries: { iperf3, echo },
    servers: services,
    pids: [...east.pids, ...west.pids],
    end: () => running.disposeAsync(),
  };
}

/** What is in a network namespace does not reach this machine's loopback. */
async function startServices(stage: PairStage, host: string): Promise<Places> {
  const echo = await startLoad(stage.processes, 'echo').order({ kind: 'echo', host });
  if (echo.kind !== 'serving') throw new Error(`the echo process answered ${echo.kind}`);
  return { iperf3: { host, port: await freePort() }, echo: { host, port: echo.port } };
}

function toExporterObjects(services: Places): SideObjects {
  return {
    peers: [{ name: IMPORTER, gateways: [] }],
    exports: SERVICES.map((name) => ({ namespace: 'shop', name, target: services[name] })),
    imports: [],
    policies: [makePolicy('allow', 'shop', { name: 'wanted' })],
  };
}

function toImporterObjects({ gateway }: Site): SideObjects {
  const sourceOf = (name: ServiceName) => ({ peer: EXPORTER, exportName: name, exportNamespace: 'shop' });
  return {
    peers: [{ name: EXPORTER, gateways: [gateway] }],
    exports: [],
    imports: SERVICES.map((name) => ({ namespace: 'store', name, port: PORTS[name], sources: [sourceOf(name)] })),
    policies: [makePolicy('allow', 'store', { name: 'wanted' })],
  };
}
