/** A connection that says nothing for long, through middle boxes that forget flows: on the way of the client, of the session, of the endpoint. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { startForgetfulRelay, type ForgetfulRelay } from '#test/support/forgetful.ts';
import { allowAll, startTestPlane } from '#test/support/planes.ts';
import { startPostgres } from '#test/support/postgres.ts';
import { requireTool } from '#test/support/tools.ts';
import { waitFor } from '#test/support/wait.ts';

const VIP = '127.99.6.1';
const LISTEN_PORT = 26_006;
/** In place of five minutes; keep-alive, which counts in whole seconds, in place of 30 s. */
const FORGET_AFTER_MS = 3_000;
const KEEP_ALIVE_MS = 1_000;

type Relays = Record<'client' | 'session' | 'endpoint', ForgetfulRelay>;

describe('an idle connection through middle boxes that forget', function () {
  this.timeout(60_000);
  let ss: string;
  let fabric: TestFabric;
  const open: (() => unknown)[] = [];

  before(async function () {
    ss = requireTool(this, 'ss');
    fabric = await makeTestFabric();
  });
  after(() => fabric?.remove());
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });

  async function relayTo(host: string, port: number): Promise<ForgetfulRelay> {
    const relay = await startForgetfulRelay({ target: { host, port }, forgetAfterMs: FORGET_AFTER_MS, ss });
    open.push(() => relay.close());
    return relay;
  }
  async function echo(): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined).pipe(socket)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(() => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  /** Where a client of west gets to east's service, and the three relays on the way. */
  async function importThrough(keepAliveMs: number, servicePort: number): Promise<Relays> {
    const [east, west] = [
      await startTestPlane({ fabric, name: 'east', keepAliveMs }),
      await startTestPlane({ fabric, name: 'west', listen: 'no', keepAliveMs }),
    ];
    open.push(
      () => east.close(),
      () => west.close(),
    );
    const endpoint = await relayTo('127.0.0.1', servicePort);
    const session = await relayTo('127.0.0.1', east.port);
    const byName = { labels: {}, mayAssert: [] };
    const port = { name: '', protocol: 'TCP' as const, port: 5432 };
    east.apply({
      peers: [{ ...byName, name: 'west', gateways: [] }],
      exports: [
        {
          ...{ namespace: 'shop', name: 'db', uid: 'u', labels: {} },
          ports: [{ ...port, endpoints: [{ host: '127.0.0.1', port: endpoint.port }] }],
        },
      ],
      policies: allowAll('shop'),
    });
    west.apply({
      peers: [{ ...byName, name: 'east', gateways: [{ host: '127.0.0.1', port: session.port }] }],
      imports: [
        {
          key: { namespace: 'store', name: 'db' },
          ips: [VIP],
          ports: [{ ...port, lastListenPort: LISTEN_PORT }],
          sources: [{ peer: 'east', namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 }],
          labels: {},
          localFirst: true,
        },
      ],
      policies: allowAll('store'),
    });
    const listener = await waitFor('west listens', () =>
      west.imports.get('store/db')?.listeners.find(({ state }) => state === 'Listening'),
    );
    const client = await relayTo(VIP, listener.listenPort ?? 0);
    return { client, session, endpoint };
  }

  /** A client that has had a byte back. */
  async function connectThrough(keepAliveMs: number): Promise<{ socket: Socket; relays: Relays }> {
    const relays = await importThrough(keepAliveMs, await echo());
    const socket = connect(relays.client.port, '127.0.0.1').on('error', () => undefined);
    open.push(() => socket.destroy());
    socket.write('before');
    assert.equal(String((await once(socket, 'data'))[0]), 'before');
    return { socket, relays };
  }

  it('they forget later than keep-alive comes → nothing is forgotten, and it still answers', async () => {
    const { socket, relays } = await connectThrough(KEEP_ALIVE_MS);
    await waitFor('all have had the time to forget it', () => relays.client.idleMs() > 2 * FORGET_AFTER_MS);
    const counts = Object.values(relays).map(({ forgotten }) => forgotten);
    assert.deepEqual(counts, [0, 0, 0]);
    socket.write('after');
    assert.equal(String((await once(socket, 'data'))[0]), 'after');
  });

  it('a psql session that says nothing for as long → the next question is answered', async function () {
    const postgres = await startPostgres(this);
    open.push(() => postgres.close());
    const { client } = await importThrough(KEEP_ALIVE_MS, postgres.port);
    const url = `postgresql://postgres@127.0.0.1:${client.port}/postgres?sslmode=disable&gssencmode=disable`;
    const psql = spawn('psql', [url, '--no-psqlrc', '-At']);
    open.push(() => void psql.kill('SIGKILL'));
    let said = '';
    psql.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    psql.stdin.write("select 'before', pg_backend_pid();\n");
    await waitFor('the first answer', () => /^before\|\d+\n$/.test(said));
    await waitFor('all have had the time to forget it', () => client.idleMs() > 2 * FORGET_AFTER_MS);
    psql.stdin.end("select 'after', pg_backend_pid();\n");
    const [code] = (await once(psql, 'exit')) as [number | null];
    const [, before, after] = /^before\|(\d+)\nafter\|(\d+)\n$/.exec(said) ?? [];
    // The same backend: psql did not connect again behind the test's back.
    assert.deepEqual([code, after], [0, before], said);
  });

  it('they forget before keep-alive comes → it is forgotten, but not the session, which has pings', async () => {
    const { socket, relays } = await connectThrough(60_000);
    await waitFor('it is cut', () => socket.destroyed);
    assert.ok(relays.client.forgotten + relays.endpoint.forgotten > 0);
    assert.equal(relays.session.forgotten, 0);
  });
});
