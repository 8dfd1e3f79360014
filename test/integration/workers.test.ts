/** Peers whose connections are carried by worker processes: one that is killed takes its own with it and no others. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { stringify } from 'yaml';
import { openEchoClient, startEchoService, type EchoClient, type EchoService } from '#test/support/echo.ts';
import {
  exportManifest,
  makeWorld,
  policyManifest,
  ruleManifest,
  type StandalonePeer,
  type World,
} from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

const WORKERS = 2;
/** Open during a restart. */
const TUNNELS = 5_000;
/** Connections that are opened, or asked, at the same time. */
const AT_ONCE = 100;
const SERVICE_PORT = 7_102;

describe('gateways with worker processes', function () {
  this.timeout(60_000);
  let world: World;
  let east: StandalonePeer;
  let west: StandalonePeer;
  let service: EchoService;
  let address: { host: string; port: number };
  const clients: EchoClient[] = [];

  before(async () => {
    world = await makeWorld();
    [east, west] = await Promise.all([
      world.peer('east', { workers: WORKERS }),
      world.peer('west', { workers: WORKERS, drainSeconds: 30 }),
    ]);
    service = await startEchoService();
    await east.write('export.yaml', exportManifest('db', SERVICE_PORT, service.port));
    await west.write('rule.yaml', ruleManifest());
    await allow();
    await world.link(east, west);
    address = await whenReady();
  });
  afterEach(() => clients.splice(0).forEach((client) => client.close()));
  after(async () => {
    await world.close();
    service.close();
  });

  const allow = (): Promise<void> => west.write('policy.yaml', stringify(policyManifest('store')));

  function whenReady(): Promise<{ host: string; port: number }> {
    return waitFor('the import is ready', async () => {
      const [told] = (await west.status()).imports;
      const port = /\d+$/.exec(told?.ports.replace('/TCP', '') ?? '')?.[0];
      return told?.ready === 'True' && port !== undefined ? { host: told.ip, port: Number(port) } : undefined;
    });
  }

  async function open(count: number): Promise<EchoClient[]> {
    const opened: EchoClient[] = [];
    while (opened.length < count) {
      const some = Math.min(AT_ONCE, count - opened.length);
      opened.push(...(await Promise.all(Array.from({ length: some }, () => openClient(address)))));
    }
    clients.push(...opened);
    return opened;
  }

  async function askAll(asked: readonly EchoClient[], word: string): Promise<void> {
    for (let from = 0; from < asked.length; from += AT_ONCE) {
      await Promise.all(asked.slice(from, from + AT_ONCE).map((client) => client.ask(word)));
    }
  }

  /** Whichever waits takes a connection, and of a few that come together one may take all. */
  async function openOnAll(peer: StandalonePeer): Promise<EchoClient[]> {
    const opened: EchoClient[] = [];
    await waitFor('every worker carries some', async () => {
      opened.push(...(await open(16)));
      const pids = workersOf(peer);
      return pids.length === WORKERS && pids.every((pid) => establishedOf(pid, address) > 0);
    });
    return opened;
  }

  it('many clients → every worker carries some, the gauge says how many', async () => {
    const opened = await openOnAll(west);
    await askAll(opened, 'hello');
    const counts = workersOf(west).map((pid) => establishedOf(pid, address));
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      opened.length,
    );
    await waitFor('the gauge says so', async () => (await gauge(west, 'egress')) === opened.length);
  });

  it('one worker is killed → its connections end and are recorded, the others live, another takes its place', async () => {
    const opened = await openOnAll(west);
    const [victim = 0, survivor = 0] = workersOf(west);
    const lost = establishedOf(victim, address);
    process.kill(victim, 'SIGKILL');
    // What a process that was killed leaves is the kernel's to end: with a reset where bytes were unread, else without.
    await waitFor('its connections end', () =>
      Promise.resolve(opened.filter((client) => client.how() !== undefined).length === lost),
    );
    const living = opened.filter((client) => client.how() === undefined);
    assert.equal(living.length, opened.length - lost);
    await askAll(living, 'after');
    await waitFor('the gauge says what is left', async () => (await gauge(west, 'egress')) === living.length);
    assert.equal(await counter(west, 'WORKER_LOST'), lost);
    await openOnAll(west);
    assert.ok(workersOf(west).includes(survivor) && !workersOf(west).includes(victim));
    await askAll(living, 'beside the new one');
  });

  it('a deny → every connection ends in every worker, also in one that does not answer', async () => {
    const opened = await openOnAll(west);
    const [stopped = 0] = workersOf(west);
    const ofStopped = establishedOf(stopped, address);
    process.kill(stopped, 'SIGSTOP');
    await west.write('policy.yaml', '');
    const ends = await Promise.all(opened.map(({ ended }) => ended));
    assert.ok(ends.filter((how) => how === 'ECONNRESET').length >= opened.length - ofStopped);
    await waitFor('the log says why', () =>
      Promise.resolve(west.log().includes('has not acknowledged a snapshot in 2000 ms')),
    );
    await waitFor('the gauge says none', async () => (await gauge(west, 'egress')) === 0);
    await allow();
    address = await whenReady();
    await waitFor('connections pass again', () => open(1).catch(() => undefined));
  });

  it('SIGHUP while connections are open and more are opened → none is lost, none is refused, by other processes', async () => {
    await waitFor('all workers serve', async () => (await told(west, 'workers{state="serving"}')) === WORKERS);
    const opened = await open(TUNNELS);
    const before = workersOf(west);
    let isOver = false;
    const opening = (async () => {
      const made: EchoClient[] = [];
      while (!isOver) {
        const some = await open(4);
        await askAll(some, 'during');
        made.push(...some);
      }
      return made;
    })();
    west.signal('SIGHUP');
    await waitFor('workers were replaced', () => Promise.resolve(/Workers were replaced/.test(west.log())), 20_000);
    await askAll(opened, 'while they drain');
    isOver = true;
    const made = await opening;
    assert.ok(made.length > 0);
    assert.deepEqual(
      [...opened, ...made].flatMap((client) => client.how() ?? []),
      [],
    );
    assert.equal(workersOf(west).length, 2 * WORKERS);
    const fresh = await open(16);
    await askAll(fresh, 'after');
    assert.ok(before.reduce((sum, pid) => sum + establishedOf(pid, address), 0) >= TUNNELS);
    [...opened, ...made].forEach((client) => client.close());
    await waitFor('the old ones are gone', () =>
      Promise.resolve(workersOf(west).length === WORKERS && !workersOf(west).some((pid) => before.includes(pid))),
    );
    await askAll(fresh, 'alone');
    await waitFor('the gauge is exact', async () => (await gauge(west, 'egress')) === fresh.length);
  });

  it('no worker is left → not ready, and why, until one serves again', async () => {
    assert.deepEqual(await readiness(), { status: 200, text: 'ok\n' });
    for (const pid of workersOf(west)) process.kill(pid, 'SIGKILL');
    await waitFor('it is not ready', async () => {
      const { status, text } = await readiness();
      return status === 503 && text.startsWith('workers: none serves');
    });
    await waitFor('it is ready', async () => (await readiness()).status === 200);
    address = await whenReady();
    await waitFor('connections pass again', () => open(1).catch(() => undefined));
  });

  async function readiness(): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(`http://127.0.0.1:${west.metricsPort}/readyz`);
    return { status: answer.status, text: await answer.text() };
  }

  it('told to end → it ends with its workers, exit code 0', async () => {
    const pids = workersOf(east);
    assert.equal(await east.stop(), 0);
    assert.deepEqual(pids.filter(isAlive), []);
  });
});

/** The worker processes of a peer, by their parent. */
function workersOf({ pid }: StandalonePeer): number[] {
  const text = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(pid)], { encoding: 'utf8' });
  const lines = text.split('\n').filter((line) => line.includes('workers/entry'));
  return lines.map((line) => Number.parseInt(line.trim(), 10)).sort((a, b) => a - b);
}

/** Connections that a process has accepted at an address. */
function establishedOf(pid: number, { host, port }: { host: string; port: number }): number {
  const text = execFileSync('ss', ['-Htnp', 'state', 'established', `src ${host}:${port}`], { encoding: 'utf8' });
  return text.split('\n').filter((line) => line.includes(`pid=${pid},`)).length;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function metricsOf({ metricsPort }: StandalonePeer): Promise<string> {
  return (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
}

async function told(peer: StandalonePeer, series: string): Promise<number> {
  const line = (await metricsOf(peer)).split('\n').find((one) => one.startsWith(`clusterlink_mcs_${series} `));
  return Number(line?.split(' ').at(-1));
}

const gauge = (peer: StandalonePeer, direction: string) => told(peer, `connections_open{direction="${direction}"}`);

async function counter(peer: StandalonePeer, reason: string): Promise<number> {
  const lines = (await metricsOf(peer)).split('\n');
  const counted = lines.filter((line) => line.includes('connections_total{') && line.includes(`reason="${reason}"`));
  return counted.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** Resolves when a byte came back: the connection is open from end to end. */
async function openClient(address: { host: string; port: number }): Promise<EchoClient> {
  const client = openEchoClient(address);
  await client.ask('open');
  return client;
}
