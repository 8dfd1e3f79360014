/** Sessions come and go with what they carry, over a network that counts what each of its connections has carried. */
import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { SESSIONS_PER_PEER_MAX } from '#src/gateway/limits.ts';
import { establishSession, type PeerSession } from '#src/gateway/session.ts';
import { openEchoClient, startEchoService, type EchoClient, type EchoService } from '#test/support/echo.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { dialAs, helloOf } from '#test/support/hostile.ts';
import { allowAll, startTestPlane, type SnapshotParts, type TestPlane } from '#test/support/planes.ts';
import { startProxy, type Proxy } from '#test/support/proxy.ts';
import { waitFor } from '#test/support/wait.ts';

const VIP = '127.99.7.1';
const PORTS = { echo: 26_071, sink: 26_072 };
const TIMINGS = { furtherAfterMs: 300, fewerAfterMs: 300 };

/** 100 Mbit/s: enough to count as bulk ten times over, and little enough for a machine that does other things. */
const BULK_BYTES = 128 * 1024;
const BULK_EVERY_MS = 10;

/** A question and its answer are below it, with what pings may add; a download of two looks is far above. */
const LITTLE_BYTES = 64 * 1024;

interface Sink {
  readonly port: number;
  readonly receivedBytes: () => number;
  close(): void;
}

async function startSink(): Promise<Sink> {
  const sockets = new Set<Socket>();
  let bytes = 0;
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.on('data', (piece) => void (bytes += piece.length));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    receivedBytes: () => bytes,
    close() {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    },
  };
}

/** Sends without end, until it is ended. */
function startBulk(port: number): { end(): void; close(): void; readonly failed: () => string | undefined } {
  const socket = connect({ port, host: VIP });
  const piece = Buffer.alloc(BULK_BYTES, 7);
  let failed: string | undefined;
  const timer = setInterval(() => void (socket.writableNeedDrain || socket.write(piece)), BULK_EVERY_MS);
  socket.on('error', (error: NodeJS.ErrnoException) => (failed = error.code ?? error.message));
  return {
    failed: () => failed,
    end() {
      clearInterval(timer);
      socket.end();
    },
    close() {
      clearInterval(timer);
      socket.destroy();
    },
  };
}

function exportOf(name: string, port: number): NonNullable<SnapshotParts['exports']>[number] {
  const endpoints = [{ host: '127.0.0.1', port }];
  return {
    namespace: 'shop',
    name,
    uid: name,
    labels: {},
    ports: [{ name: '', protocol: 'TCP', port: 80, endpoints }],
  };
}

function importOf(name: keyof typeof PORTS): NonNullable<SnapshotParts['imports']>[number] {
  return {
    key: { namespace: 'store', name },
    ips: [VIP],
    ports: [{ name: '', protocol: 'TCP', port: 80, lastListenPort: PORTS[name] }],
    sources: [{ peer: 'east', namespace: 'shop', name, ports: [80], readyEndpoints: 1 }],
    labels: {},
    localFirst: true,
  };
}

describe('sessions by load', function () {
  this.timeout(15_000);
  let fabric: TestFabric;
  let east: TestPlane;
  let west: TestPlane;
  let proxy: Proxy;
  let echo: EchoService;
  let sink: Sink;
  let open: { close(): unknown }[] = [];

  before(async () => {
    fabric = await makeTestFabric();
  });
  after(() => fabric.remove());
  beforeEach(async () => {
    [echo, sink] = await Promise.all([startEchoService(), startSink()]);
    [east, west] = [
      await startTestPlane({ fabric, name: 'east' }),
      await startTestPlane({ fabric, name: 'west', listen: 'no', demandTimings: TIMINGS }),
    ];
    proxy = await startProxy(east.port);
    east.apply({
      peers: [{ name: 'west', labels: {}, gateways: [], mayAssert: [] }],
      exports: [exportOf('echo', echo.port), exportOf('sink', sink.port)],
      policies: allowAll('shop'),
    });
    west.apply({
      peers: [{ name: 'east', labels: {}, gateways: [{ host: '127.0.0.1', port: proxy.port }], mayAssert: [] }],
      imports: [importOf('echo'), importOf('sink')],
      policies: allowAll('store'),
    });
    for (const name of ['echo', 'sink'] as const) await listenPort(name);
  });
  afterEach(async () => {
    for (const one of open.reverse()) await one.close();
    open = [];
    await Promise.all([west.close(), east.close()]);
    await proxy.close();
    echo.close();
    sink.close();
  });

  const sessions = (): number | undefined => west.peers.get('east')?.sessions;
  const bytesOf = (index: number): number => proxy.connections()[index]?.bytes ?? 0;
  const isOpen = (index: number): boolean => proxy.connections()[index]?.open === true;

  /** Its first ping and others have been answered. */
  async function measured(index: number): Promise<void> {
    const before = bytesOf(index);
    await waitFor('pings are answered', () => bytesOf(index) > before + 200);
  }

  /** Bulk is under way just now, whatever held this process up before. */
  async function flowing(): Promise<void> {
    const before = sink.receivedBytes();
    await waitFor('bulk flows', () => sink.receivedBytes() > before + 2 * 1024 * 1024);
  }

  async function listenPort(name: keyof typeof PORTS): Promise<number> {
    const listener = await waitFor(`${name} listens`, () =>
      west.imports.get(`store/${name}`)?.listeners.find(({ state }) => state === 'Listening'),
    );
    return listener.listenPort ?? 0;
  }

  async function openBulk(): Promise<ReturnType<typeof startBulk>> {
    const bulk = startBulk(await listenPort('sink'));
    open.push(bulk);
    const before = sink.receivedBytes();
    await waitFor('it flows', () => sink.receivedBytes() > before);
    return bulk;
  }

  async function openPaced(): Promise<EchoClient> {
    const paced = openEchoClient({ host: VIP, port: await listenPort('echo') });
    open.push(paced);
    await paced.ask('first');
    return paced;
  }

  it('each that carries bulk → another one, which what is opened then uses; the load gone → one, and nothing was cut', async () => {
    assert.equal(proxy.connections().length, 1);
    const first = await openBulk();
    await waitFor('there is a second one', () => sessions() === 2);
    assert.equal(east.peers.get('west')?.sessions, 2, 'the other end knows both');
    await measured(1);
    await flowing();

    const paced = await openPaced();
    const before = bytesOf(1);
    const word = 'x'.repeat(10_000);
    for (let time = 0; time < 5; time++) await paced.ask(word);
    const carried = bytesOf(1) - before;
    assert.ok(carried > 5 * 2 * word.length && carried < 5 * 2 * word.length + LITTLE_BYTES, `${carried} bytes`);

    await flowing();
    const second = await openBulk();
    await waitFor('there is a third one', () => sessions() === 3);
    assert.ok(bytesOf(1) - before > 1024 * 1024, 'the second download is in the second one');

    first.end();
    second.end();
    await waitFor('those have ended in which nothing was open', () => sessions() === 1);
    await waitFor('their connections have closed', () => !isOpen(0) && !isOpen(2));
    assert.equal(isOpen(1), true);
    await paced.ask('still there');
    assert.deepEqual([paced.how(), first.failed(), second.failed()], [undefined, undefined, undefined]);
    assert.deepEqual([...new Set(west.closings.map(({ reason }) => reason))], ['DONE']);
    assert.equal(proxy.connections().length, 3);
  });

  it('the peer has no room → one line at either end, no further dial, and what there is serves', async () => {
    const others = await Promise.all(
      Array.from({ length: SESSIONS_PER_PEER_MAX - 1 }, (_, index) => openOther(`other-${index}`)),
    );
    open.push(...others);
    await waitFor('east has no place left', () => east.peers.get('west')?.sessions === SESSIONS_PER_PEER_MAX);
    await openBulk();
    await waitFor('west was refused', () => west.refusals.length > 0);
    const before = sink.receivedBytes();
    await waitFor('bulk goes on', () => sink.receivedBytes() > before + 100 * BULK_BYTES);
    assert.deepEqual(west.refusals, ['OVERLOADED east: it takes no further session']);
    assert.equal(east.refusals.length, 1, east.refusals.join('\n'));
    assert.match(east.refusals[0] ?? '', /^OVERLOADED west at /);
    assert.deepEqual([proxy.connections().length, sessions(), west.peers.get('east')?.reason], [2, 1, undefined]);
    const paced = await openPaced();
    assert.equal(paced.how(), undefined);
    assert.deepEqual(west.closings, []);
  });

  /** A session of another process of west. */
  async function openOther(instance: string): Promise<PeerSession> {
    const socket = await dialAs(await fabric.identity('west'), east);
    const ignore = (): void => undefined;
    return establishSession({
      socket,
      role: 'dialler',
      peer: 'east',
      hello: helloOf('west', instance),
      onStream: ignore,
      onDraining: ignore,
      onClose: ignore,
    });
  }
});
