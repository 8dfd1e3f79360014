/**
 * Our own pair: two standalone peers as the image has them, with everything on that a real gateway has on: decisions, policies,
 * limits, metrics, closing records, and 200 imports.
 */
import { Resolver } from 'node:dns/promises';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusReport } from '#src/cli/run/status.ts';
import { callAdmin } from '#src/runtime/admin.ts';
import { freePort } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';
import { stringify } from 'yaml';
import { nodeOptionsOf } from '../peer.ts';
import { NODE_FLAGS } from '../node-flags.ts';
import type { Started } from '../processes.ts';
import { EXPORTS, PORTS, toExporterManifests, toImporterManifests, toPeerManifest } from './our-manifests.ts';
import { EXPORTER, IMPORTER, SERVICES, type Place, type PairStage, type System } from './system.ts';

const READY_TIMEOUT_MS = 60_000;
const ADMIN_TIMEOUT_MS = 10_000;
/** Between two looks: a status of 200 imports costs the gateway milliseconds. */
const LOOK_MS = 200;
const LOG_LEVEL = 'info';

interface Peer {
  readonly started: Started;
  readonly gatewayPort: number;
  readonly dnsPort: number;
  status(): Promise<StatusReport>;
  write(file: string, text: string): Promise<void>;
}

export interface OursOptions {
  /** The bundle of the image. */
  readonly program: string;
  readonly version: string;
  /** The setting of this name. */
  readonly workers: number;
}

export async function makeOurs({ program, version, workers }: OursOptions): Promise<System> {
  const nodeOptions = await nodeOptionsOf('gateway');
  return {
    name: 'ours',
    version: `${version}, Node ${process.versions.node} on OpenSSL ${process.versions.openssl}`,
    settings: [
      `two processes of \`clusterlink-mcs run --store dir:\`, NODE_OPTIONS=${JSON.stringify(nodeOptions)}`,
      workers === 0
        ? 'no workers: these processes carry connections themselves'
        : `${workers} workers each, which count too`,
      `${EXPORTS} imports, policies of all three tiers, limits, metrics, closing records; log level ${LOG_LEVEL}`,
    ],
    async start(stage) {
      const peers = await Promise.all(
        ([EXPORTER, IMPORTER] as const).map((name) => startPeer({ stage, name, program, nodeOptions, workers })),
      );
      const [east, west] = peers as [Peer, Peer];
      await east.write('shop.yaml', toExporterManifests(stage.services));
      await west.write('store.yaml', toImporterManifests());
      await east.write('peers.yaml', toPeerManifest(IMPORTER, west.gatewayPort));
      await west.write('peers.yaml', toPeerManifest(EXPORTER, east.gatewayPort));
      await waitFor(`${EXPORTS} imports are ready`, () => hasAllImports(west), READY_TIMEOUT_MS);
      const [iperf3, echo] = await Promise.all(SERVICES.map((service) => locate(west, service)));
      if (iperf3 === undefined || echo === undefined) throw new Error('an import has no address');
      return {
        entries: { iperf3, echo },
        pids: peers.map(({ started }) => started.pid),
      };
    },
  };
}

async function hasAllImports(peer: Peer): Promise<true> {
  if (peer.started.hasEnded) throw new Error(`${IMPORTER} has ended:\n${peer.started.logTail()}`);
  const { imports, problems, skipped } = await peer.status();
  const count = imports.filter(({ ready }) => ready === 'True').length;
  if (count === EXPORTS) return true;
  await sleep(LOOK_MS);
  const why = [...problems, ...imports.map(({ message }) => message), ...skipped.map(({ message }) => message)];
  throw new Error(`${count} are, of ${imports.length}: ${why.find((text) => text !== '') ?? 'not yet'}`);
}

/** As a client finds it: the name in DNS, and the port by SRV, which tells the truth where another had to be taken. */
async function locate({ dnsPort }: Peer, service: (typeof SERVICES)[number]): Promise<Place> {
  const resolver = new Resolver({ timeout: 1_000, tries: 3 });
  resolver.setServers([`127.0.0.1:${dnsPort}`]);
  const name = `${service}.store.svc.clusterset.local`;
  const [[host], [srv]] = await Promise.all([resolver.resolve4(name), resolver.resolveSrv(name)]);
  if (host === undefined) throw new Error(`${name} has no address`);
  return { host, port: srv?.port ?? PORTS[service] };
}

interface PeerOptions {
  readonly stage: PairStage;
  readonly name: typeof EXPORTER | typeof IMPORTER;
  readonly program: string;
  readonly nodeOptions: string;
  readonly workers: number;
}

async function startPeer({ stage, name, program, nodeOptions, workers }: PeerOptions): Promise<Peer> {
  const [gatewayPort, dnsPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const folder = join(stage.folder, `${name}-${gatewayPort}`);
  const manifests = join(folder, 'manifests');
  const state = join(folder, 'state');
  await mkdir(manifests, { recursive: true });
  const { ca, cert, key } = stage.credentials[name];
  const config = {
    peer: name,
    fabric: { ca, cert, key },
    gateway: { listen: `127.0.0.1:${gatewayPort}` },
    dns: { listen: `127.0.0.1:${dnsPort}` },
    metrics: `127.0.0.1:${metricsPort}`,
    exports: { targets: ['127.0.0.1:*'] },
    log: { level: LOG_LEVEL },
    drainSeconds: 0,
    workers,
  };
  const file = join(folder, 'peer.yaml');
  await writeFile(file, stringify(config));
  const started = stage.processes.start({
    name: `ours-${name}`,
    command: process.execPath,
    args: [...NODE_FLAGS, program, 'run', '--store', `dir:${manifests}`, '--state', state, '--config', file],
    env: { NODE_OPTIONS: nodeOptions },
  });
  const ask = <T>(route: string): Promise<T> =>
    callAdmin({
      path: join(state, 'admin.sock'),
      method: 'GET',
      route,
      body: undefined,
      timeoutMs: ADMIN_TIMEOUT_MS,
    }) as Promise<T>;
  await started.whenListening([gatewayPort]);
  return {
    started,
    gatewayPort,
    dnsPort,
    status: () => ask('/status'),
    write: (manifest, text) => writeFile(join(manifests, manifest), text),
  };
}
