/** Worker processes at the edges: taken ports, a peer that only dials out, a main process that is gone. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import {
  exportManifest,
  freePort,
  MAIN,
  makeWorld,
  peerManifest,
  policyManifest,
  ruleManifest,
  type StandalonePeer,
  type World,
} from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

const SERVICE_PORT = 7_103;

describe('gateways with worker processes, at the edges', function () {
  this.timeout(60_000);
  let world: World;
  let west: StandalonePeer;
  let service: Server;
  let taken: Server;

  before(async () => {
    world = await makeWorld();
    service = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
    taken = createServer().listen(SERVICE_PORT, '0.0.0.0');
    await Promise.all([once(service, 'listening'), once(taken, 'listening')]);
    const [east, importer] = await Promise.all([
      world.peer('east', { gateway: {} }),
      world.peer('west', { workers: 2, drainSeconds: 1 }),
    ]);
    west = importer;
    await east.write('export.yaml', exportManifest('db', SERVICE_PORT, (service.address() as AddressInfo).port));
    await east.write('peers.yaml', peerManifest(west));
    await west.write('peers.yaml', dialOnly(east));
    await west.write('rule.yaml', `${ruleManifest()}---\n${stringify(policyManifest('store'))}`);
  });
  after(async () => {
    await world.close();
    service.close();
    taken.close();
  });

  const placeOf = async (): Promise<{ host: string; port: number; reason: string | undefined } | undefined> => {
    const [told] = (await west.status()).imports;
    const port = /(\d+)\D*$/.exec(told?.ports ?? '')?.[1];
    return told?.ready === 'True' ? { host: told.ip, port: Number(port), reason: told.ports } : undefined;
  };

  it('the port of an import is taken, and its peer only dials out → moved to one place for all workers, and it passes', async () => {
    const place = await waitFor('the import is ready', placeOf);
    assert.notEqual(place.port, SERVICE_PORT);
    assert.deepEqual(listenersOf(place.host), [place.port]);
    await echoes(place);
  });

  it('SIGHUP → the peer that only dials out comes to the new workers, and nobody is refused meanwhile', async () => {
    const place = await waitFor('the import is ready', placeOf);
    const before = workersOf(west);
    west.signal('SIGHUP');
    while (!west.log().includes('Workers were replaced')) await echoes(place);
    for (let count = 0; count < 20; count++) await echoes(place);
    await waitFor('the old ones are gone', () => Promise.resolve(!workersOf(west).some((pid) => before.includes(pid))));
    await echoes(place);
    assert.deepEqual(listenersOf(place.host), [place.port]);
  });

  it('the gateway’s own port is taken → the start fails with ERR_LISTEN, and leaves no worker', async () => {
    const config = join(west.state, '..', 'peer.yaml');
    const args = ['run', '--store', `dir:${west.manifests}`, '--state', join(world.root, 'other'), '--config', config];
    const child = spawn(process.execPath, [MAIN, ...args, '--dns-listen', `127.0.0.1:${await freePort()}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 1, said);
    assert.match(said, /ERR_LISTEN gateway\.listen 127\.0\.0\.1:\d+: EADDRINUSE/);
  });

  it('the main process is killed → its workers end', async () => {
    const pids = workersOf(west);
    assert.equal(pids.length, 2);
    await west.stop('SIGKILL');
    await waitFor('they are gone', () => Promise.resolve(!pids.some(isAlive)));
  });
});

function dialOnly({ name }: StandalonePeer): string {
  return stringify({
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Peer',
    metadata: { name, namespace: 'clusterlink-system' },
    spec: { gateways: [] },
  });
}

/** One connection, there and back. */
async function echoes(place: { readonly host: string; readonly port: number }): Promise<void> {
  const socket = connect(place);
  try {
    socket.write('x');
    await once(socket, 'data');
  } finally {
    socket.destroy();
  }
}

function listenersOf(host: string): number[] {
  const text = execFileSync('ss', ['-Htln', `src ${host}`], { encoding: 'utf8' });
  return text
    .split('\n')
    .flatMap((line) => new RegExp(`${host}:(\\d+)`).exec(line)?.[1] ?? [])
    .map(Number);
}

function workersOf({ pid }: StandalonePeer): number[] {
  const text = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(pid)], { encoding: 'utf8' });
  const lines = text.split('\n').filter((line) => line.includes('workers/entry'));
  return lines.map((line) => Number.parseInt(line.trim(), 10));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
