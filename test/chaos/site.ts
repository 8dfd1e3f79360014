/**
 * Three peers as processes, the wires between them, and the services behind them:
 *
 *     clients ── west ──┬── east   exports shop/both, shop/alone
 *                       └── south  exports shop/both
 */
import { join } from 'node:path';
import { freePort, makeWorld } from '#test/support/standalone.ts';
import { startLink, type Link } from '#test/support/link.ts';
import { waitFor } from '#test/support/wait.ts';
import { mountSmallDisk, type SmallDisk } from './disk.ts';
import { PEERS, type PeerName } from './faults.ts';
import { makeManifests, writeFiles, type ExportedService } from './manifests.ts';
import { startPeerProcess, type PeerProcess } from './process.ts';
import { makeRandom } from './random.ts';
import { startService, type Service } from './service.ts';
import type { Destination } from './traffic.ts';
import { findFaketime, makeWrongClock, type WrongClock } from './wrong-clock.ts';

export const IMPORTER = 'west';
const SERVICES = {
  both: { servicePort: 7_001, peers: ['east', 'south'] },
  alone: { servicePort: 7_002, peers: ['east'] },
} as const;
const START_TIMEOUT_MS = 30_000;

export interface Site {
  readonly peers: Readonly<Record<PeerName, PeerProcess>>;
  /** Where clients go; as long as the site is there, these stay. */
  readonly destinations: readonly Destination[];
  /** Of the importer. */
  readonly dns: string;
  /** Names of imports with their addresses. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Under the importer's state folder, if there can be one. */
  readonly disk: SmallDisk | undefined;
  /** Of the peers, where they can be set wrong. */
  readonly clocks: Readonly<Record<PeerName, WrongClock>> | undefined;
  /** The wire between two peers, whoever dials. */
  links(a: PeerName, b: PeerName): readonly Link[];
  close(): Promise<void>;
}

export function nameOf(service: string): string {
  return `${service}.store.svc.clusterset.local`;
}

export async function startSite(onWrong: (what: string) => void): Promise<Site> {
  const closers: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    return { ...(await build(closers, onWrong)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function build(closers: (() => unknown)[], onWrong: (what: string) => void): Promise<Omit<Site, 'close'>> {
  const world = await makeWorld();
  closers.push(() => world.close());
  const configs = await makeConfigs();
  const links = await startLinks(configs, closers);
  const stateFolder = join(world.root, `peer-${IMPORTER}`, 'state');
  const disk = await mountSmallDisk(stateFolder);
  if (disk !== undefined) closers.push(() => disk.close());
  const clocks = makeClocks(world.root);
  const processes = new Map<PeerName, PeerProcess>();
  const starts = await Promise.allSettled(
    PEERS.map(async (name) =>
      processes.set(
        name,
        await startPeerProcess({
          world,
          name,
          config: configs[name].config,
          environment: clocks?.[name].environment ?? {},
        }),
      ),
    ),
  );
  for (const start of starts) if (start.status === 'rejected') throw start.reason;
  const peerOf = (name: PeerName): PeerProcess => {
    const found = processes.get(name);
    if (found === undefined) throw new Error(`no peer ${name}`);
    return found;
  };
  for (const name of PEERS) {
    const exports: ExportedService[] = [];
    for (const [service, { servicePort, peers }] of Object.entries(SERVICES)) {
      if (!peers.some((peer) => peer === name)) continue;
      const watchProcess = (): (() => boolean) => peerOf(name).watchDeath();
      const { port, close }: Service = await startService({ name: service, peer: name, watchProcess, onWrong });
      closers.push(close);
      exports.push({ name: service, servicePort, endpointPort: port });
    }
    const others = PEERS.filter((other) => other !== name);
    const manifests = makeManifests({
      peers: others.map((other) => ({ name: other, gatewayPort: linkOf(links, name, other).port })),
      exports,
      importsFrom: name === IMPORTER ? others : [],
    });
    await writeFiles(peerOf(name).now.manifests, manifests);
  }
  const imports = await waitFor('every import is ready', () => readyImports(peerOf(IMPORTER)), START_TIMEOUT_MS);
  return {
    peers: { west: peerOf('west'), east: peerOf('east'), south: peerOf('south') },
    destinations: imports,
    dns: configs[IMPORTER].dns,
    addresses: new Map(imports.map(({ service, host }) => [nameOf(service), host])),
    disk,
    clocks,
    links: (a, b) => [linkOf(links, a, b), linkOf(links, b, a)],
  };
}

interface PeerConfig {
  readonly host: string;
  readonly gatewayPort: number;
  readonly dns: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * Listeners are at an address that no client of this machine connects from: a peer that comes back must find its ports as it
 * left them, not as the local port of some connection.
 */
async function makeConfigs(): Promise<Readonly<Record<PeerName, PeerConfig>>> {
  const random = makeRandom(process.pid);
  const net = `127.${random.between(128, 250)}.${random.between(1, 250)}`;
  const make = async (index: number): Promise<PeerConfig> => {
    const host = `${net}.${index + 1}`;
    const [gatewayPort, dnsPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
    const dns = `${host}:${dnsPort}`;
    const config = {
      gateway: { listen: `${host}:${gatewayPort}` },
      dns: { listen: dns },
      metrics: `${host}:${metricsPort}`,
      vips: `${net}.${32 * (index + 1)}/27`,
      log: { level: 'warn' },
    };
    return { host, gatewayPort, dns, config };
  };
  return { west: await make(0), east: await make(1), south: await make(2) };
}

function makeClocks(folder: string): Site['clocks'] {
  const library = findFaketime();
  if (library === undefined) return undefined;
  const make = (name: PeerName): WrongClock => makeWrongClock({ library, file: join(folder, `clock-${name}`) });
  return { west: make('west'), east: make('east'), south: make('south') };
}

async function startLinks(
  configs: Readonly<Record<PeerName, PeerConfig>>,
  closers: (() => unknown)[],
): Promise<ReadonlyMap<string, Link>> {
  const links = new Map<string, Link>();
  for (const from of PEERS) {
    for (const to of PEERS) {
      if (from === to) continue;
      const { host, gatewayPort } = configs[to];
      const link = await startLink({ host, port: gatewayPort });
      closers.push(() => link.close());
      links.set(`${from} ${to}`, link);
    }
  }
  return links;
}

function linkOf(links: ReadonlyMap<string, Link>, from: PeerName, to: PeerName): Link {
  const link = links.get(`${from} ${to}`);
  if (link === undefined) throw new Error(`no link from ${from} to ${to}`);
  return link;
}

async function readyImports(importer: PeerProcess): Promise<readonly Destination[] | undefined> {
  const { imports } = await importer.now.status();
  const found = Object.entries(SERVICES).map(([service, { peers }]): Destination | undefined => {
    const told = imports.find(({ name }) => name === `store/${service}`);
    const isWhole =
      told?.ready === 'True' && told.sources.length === peers.length && !told.sources.join().includes('(');
    if (told === undefined || !isWhole) return undefined;
    // `7001/TCP`, or `7001/TCP at 40123` where the port of the service could not be had.
    const [port = ''] = /\d+$/.exec(told.ports.replace('/TCP', '')) ?? [];
    return { service, host: told.ip, port: Number(port), sources: peers };
  });
  return found.every((one) => one !== undefined) ? found : undefined;
}
