/** Peers as processes that are told to end, or fall silent, while a thousand connections are open. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { openEchoClient, startEchoService, type EchoClient } from '#test/support/echo.ts';
import {
  exportManifest,
  makeWorld,
  peerManifest,
  policyManifest,
  ruleManifest,
  type StandalonePeer,
  type World,
} from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

const TUNNELS = 1_000;
const SERVICE_PORT = 7_101;
/** Time to open and ask a thousand, a machine that stands still for two seconds included; two tests wait it out. */
const DRAIN_SECONDS = 6;
/** DESIGN §7: a peer that goes away is out of use within this time while another source is there. */
const OUT_OF_USE_MS = 2_000;
/** For who comes after that, and has no reason to wait: what an answer takes on a machine that stalls. */
const ANSWER_MS = 1_500;
/** Connections that are opened, or asked, at the same time: the backlogs of three processes are on the way. */
const AT_ONCE = 100;

interface Client extends EchoClient {
  /** Who serves it. */
  readonly by: string;
}

describe('restarts and silences under a thousand connections', function () {
  this.timeout(90_000);
  let world: World;
  let west: StandalonePeer;
  let address: { host: string; port: number };
  const exporters = new Map<string, StandalonePeer>();
  const services: { close(): void }[] = [];
  const clients: Client[] = [];

  before(async () => {
    world = await makeWorld();
    west = await world.peer('west', { drainSeconds: DRAIN_SECONDS });
    for (const name of ['east', 'south']) {
      const peer = await world.peer(name, { drainSeconds: DRAIN_SECONDS });
      exporters.set(name, peer);
      const service = await startEchoService(`${name}\n`);
      services.push(service);
      await peer.write('export.yaml', exportManifest('db', SERVICE_PORT, service.port));
      await peer.write('peers.yaml', peerManifest(west));
    }
    const rule = ruleManifest({ peers: { names: ['east', 'south'] } });
    await west.write('peers.yaml', [...exporters.values()].map(peerManifest).join('---\n'));
    await west.write('rule.yaml', `${rule}---\n${stringify(policyManifest('store'))}`);
    address = await whenReady();
  });
  afterEach(() => clients.splice(0).forEach((client) => client.close()));
  after(async () => {
    await world.close();
    services.forEach((service) => service.close());
  });

  /** Where the import listens, once both exporters can be used. */
  function whenReady(): Promise<{ host: string; port: number }> {
    return waitFor('the import is ready with both sources', async () => {
      const [told] = (await west.status()).imports;
      const port = /\d+$/.exec(told?.ports.replace('/TCP', '') ?? '')?.[0];
      // One that was ejected is tried last, and can be used.
      const usable = told?.sources.filter((source) => !source.includes('(') || source.includes('(tried last')) ?? [];
      const isWhole = told?.ready === 'True' && usable.length === 2;
      return isWhole && port !== undefined ? { host: told.ip, port: Number(port) } : undefined;
    });
  }

  async function open(): Promise<Client> {
    const client = await openClient(address);
    clients.push(client);
    return client;
  }

  async function openMany(count: number): Promise<Client[]> {
    const opened: Client[] = [];
    while (opened.length < count) {
      const some = Math.min(AT_ONCE, count - opened.length);
      opened.push(...(await Promise.all(Array.from({ length: some }, open))));
    }
    return opened;
  }

  async function askAll(asked: readonly Client[], word: string): Promise<void> {
    for (let from = 0; from < asked.length; from += AT_ONCE) {
      await Promise.all(asked.slice(from, from + AT_ONCE).map((client) => client.ask(word)));
    }
  }

  it('the importer is told to end → every connection lives until the deadline, then is reset; the next process serves', async () => {
    const opened = await openMany(TUNNELS);
    const toldMs = performance.now();
    west.signal('SIGTERM');
    const firstEndMs = Promise.race(opened.map(({ ended }) => ended)).then(() => performance.now());
    await waitFor('new connections are refused', async () => (await whyRefused(address)) === 'ECONNREFUSED');
    await askAll(opened, 'while it drains');
    assert.ok(performance.now() - toldMs < DRAIN_SECONDS * 1_000, 'the machine is too slow to ask before the deadline');
    const ends = await Promise.all(opened.map(({ ended }) => ended));
    assert.ok((await firstEndMs) - toldMs >= DRAIN_SECONDS * 1_000 - 50, 'one ended before the deadline');
    assert.deepEqual(tally(ends), { ECONNRESET: TUNNELS });
    assert.equal(await west.ended(), 0);
    west = await world.peer('west', { drainSeconds: DRAIN_SECONDS, ...portsOf(west) });
    address = await whenReady();
    await (await open()).ask('again');
  });

  it('one exporter is told to end → its connections live until the deadline, new ones go to the other at once', async () => {
    const opened = await openMany(200);
    const ofEast = opened.filter(({ by }) => by === 'east');
    const ofSouth = opened.filter(({ by }) => by === 'south');
    assert.ok(ofEast.length > 0 && ofSouth.length > 0);
    const east = exporters.get('east');
    assert.ok(east !== undefined);
    east.signal('SIGTERM');
    await waitFor('new ones go to south alone', async () => {
      const fresh = await openMany(10);
      return fresh.every(({ by }) => by === 'south');
    });
    await askAll(opened, 'while it drains');
    assert.deepEqual(tally(await Promise.all(ofEast.map(({ ended }) => ended))), { ECONNRESET: ofEast.length });
    assert.equal(await east.ended(), 0);
    await askAll(ofSouth, 'after that');
    exporters.set('east', await world.peer('east', { drainSeconds: DRAIN_SECONDS, ...portsOf(east) }));
    await whenReady();
  });

  it('one exporter is stopped (SIGSTOP) → out of use in 2 s, nobody waits longer for an answer', async () => {
    const east = exporters.get('east');
    assert.ok(east !== undefined);
    await waitFor('east serves', async () => (await open()).by === 'east');
    east.signal('SIGSTOP');
    try {
      const stoppedMs = performance.now();
      const waits: Promise<{ sinceMs: number; tookMs: number; by: string }>[] = [];
      while (performance.now() - stoppedMs < 2 * OUT_OF_USE_MS) {
        const startedMs = performance.now();
        const { promise, resolve, reject } = Promise.withResolvers<{ sinceMs: number; tookMs: number; by: string }>();
        waits.push(promise);
        open().then(
          ({ by }) => resolve({ sinceMs: startedMs - stoppedMs, tookMs: performance.now() - startedMs, by }),
          reject,
        );
        await sleep(50);
      }
      const answered = await Promise.all(waits);
      assert.deepEqual([...new Set(answered.map(({ by }) => by))], ['south']);
      const late = answered.filter(
        ({ sinceMs, tookMs }) => tookMs > (sinceMs > OUT_OF_USE_MS ? ANSWER_MS : OUT_OF_USE_MS),
      );
      assert.deepEqual(late, []);
    } finally {
      east.signal('SIGCONT');
    }
    await whenReady();
    await waitFor('east serves again', async () => (await open()).by === 'east');
  });
});

/** The next process has to be found where this one was. */
function portsOf({ gatewayPort, dnsPort, metricsPort }: StandalonePeer): Record<string, unknown> {
  return {
    gateway: { listen: `127.0.0.1:${gatewayPort}` },
    dns: { listen: `127.0.0.1:${dnsPort}` },
    metrics: `127.0.0.1:${metricsPort}`,
  };
}

async function openClient(address: { host: string; port: number }): Promise<Client> {
  const client = openEchoClient(address);
  return { ...client, by: await client.line() };
}

async function whyRefused(address: { host: string; port: number }): Promise<string> {
  const socket = connect(address);
  try {
    await once(socket, 'connect');
    return '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? '';
  } finally {
    socket.destroy();
  }
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
