/** Two or three data planes over real TLS and sockets: what passes, what is refused, and how connections end. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { SOURCES_PER_CONNECTION_MAX } from '#src/gateway/limits.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { allowAll, startTestPlane, type SnapshotParts, type TestPlane } from '#test/support/planes.ts';
import { startProxy, type Proxy } from '#test/support/proxy.ts';
import { waitFor } from '#test/support/wait.ts';

const VIP = '127.99.1.1';
const PORT = 26_001;

interface Backend {
  readonly port: number;
  close(): void;
}

async function startBackend(onSocket: (socket: Socket) => void): Promise<Backend> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    },
  };
}

const echo = (socket: Socket): void => void socket.pipe(socket);

function exporting(port: number): NonNullable<SnapshotParts['exports']> {
  return [
    {
      namespace: 'shop',
      name: 'db',
      uid: 'u',
      labels: {},
      ports: [{ name: '', protocol: 'TCP', port: 5432, endpoints: [{ host: '127.0.0.1', port }] }],
    },
  ];
}

function importing(...peers: string[]): NonNullable<SnapshotParts['imports']> {
  const sources = peers.map((peer) => ({ peer, namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 }));
  // The port of the import is not one that a test may have; what is asked of the source is.
  return [
    {
      key: { namespace: 'store', name: 'db' },
      ips: [VIP],
      ports: [{ name: '', protocol: 'TCP', port: 5432, lastListenPort: PORT }],
      sources,
      labels: {},
      localFirst: true,
    },
  ];
}

function route(
  plane: TestPlane,
  mayAssert: NonNullable<SnapshotParts['peers']>[number]['mayAssert'] = [],
): NonNullable<SnapshotParts['peers']>[number] {
  return {
    name: plane.name,
    labels: {},
    gateways: plane.port === 0 ? [] : [{ host: '127.0.0.1', port: plane.port }],
    mayAssert,
  };
}

function outcomeOf(host: string, port: number, say = ''): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    if (say !== '') socket.write(say);
    socket.once('data', () => settle('bytes'));
    socket.once('end', () => settle('end'));
    socket.once('error', (error: NodeJS.ErrnoException) => settle(error.code ?? 'error'));
    function settle(what: string): void {
      socket.destroy();
      resolve(what);
    }
  });
}

describe('gateway', function () {
  let fabric: TestFabric;
  const open: { close(): unknown }[] = [];

  before(async () => {
    fabric = await makeTestFabric();
  });
  after(() => fabric.remove());
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  async function start(name: string, listen?: 'no'): Promise<TestPlane> {
    const plane = await startTestPlane({ fabric, name, ...(listen === undefined ? {} : { listen }) });
    open.push(plane);
    return plane;
  }
  async function backend(onSocket: (socket: Socket) => void): Promise<Backend> {
    const one = await startBackend(onSocket);
    open.push(one);
    return one;
  }
  /** East exports to west, both say yes. */
  async function linked(
    onSocket: (socket: Socket) => void,
  ): Promise<{ east: TestPlane; west: TestPlane; port: number }> {
    const [east, west, service] = [await start('east'), await start('west'), await backend(onSocket)];
    east.apply({ peers: [route(west)], exports: exporting(service.port), policies: allowAll('shop') });
    west.apply({ peers: [route(east)], imports: importing('east'), policies: allowAll('store') });
    return { east, west, port: await listenPort(west) };
  }
  /** The same, over a network that the test can stall and cut; only west dials. */
  async function linkedOver(
    onSocket: (socket: Socket) => void,
    changes: Partial<NonNullable<SnapshotParts['imports']>[number]> = {},
  ): Promise<{ east: TestPlane; west: TestPlane; port: number; proxy: Proxy }> {
    const [east, west, service] = [await start('east'), await start('west', 'no'), await backend(onSocket)];
    const proxy = await startProxy(east.port);
    open.push(proxy);
    east.apply({ peers: [route(west)], exports: exporting(service.port), policies: allowAll('shop') });
    const gateways = [{ host: '127.0.0.1', port: proxy.port }];
    west.apply({
      peers: [{ ...route(east), gateways }],
      imports: importing('east').map((one) => ({ ...one, ...changes })),
      policies: allowAll('store'),
    });
    return { east, west, port: await listenPort(west), proxy };
  }
  /** An open connection over which a byte has come back, and how it will end. */
  async function openConnection(port: number): Promise<{ socket: Socket; ended: Promise<string> }> {
    const socket = connect({ port, host: VIP, allowHalfOpen: true });
    const ended = new Promise<string>((resolve) => {
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      socket.once('end', () => resolve('end'));
    });
    socket.write('x');
    await new Promise((resolve) => socket.once('data', resolve));
    return { socket, ended };
  }
  async function onlyClosing(plane: TestPlane): Promise<TestPlane['closings'][number]> {
    const record = await waitFor(`${plane.name} records it`, () => plane.closings[0]);
    assert.equal(plane.closings.length, 1, JSON.stringify(plane.closings));
    return record;
  }
  async function listenPort(plane: TestPlane): Promise<number> {
    const state = await waitFor('the import listens', () =>
      plane.imports.get('store/db')?.listeners.find(({ state: now }) => now === 'Listening'),
    );
    return state.listenPort ?? 0;
  }

  function roundTrip(port: number, payload: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: VIP, allowHalfOpen: true });
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.once('end', () => resolve(Buffer.concat(chunks)));
      socket.once('error', reject);
      socket.end(payload);
    });
  }
  const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

  for (const size of [1, 64 * 1024, 64 * 1024 * 1024]) {
    it(`client first, ${size} bytes, half-close → the same bytes come back and both ends say DONE`, async () => {
      const { east, west, port } = await linked(echo);
      const payload = randomBytes(size);
      assert.equal(sha(await roundTrip(port, payload)), sha(payload));
      const [mine] = await waitFor('west records it', () => (west.closings.length > 0 ? west.closings : undefined));
      const [theirs] = await waitFor('east records it', () => (east.closings.length > 0 ? east.closings : undefined));
      assert.deepEqual(
        [mine?.reason, mine?.sentBytes, mine?.receivedBytes, mine?.peer, mine?.connection],
        ['DONE', size, size, 'east', theirs?.connection],
      );
    });
  }

  it('server first → the greeting arrives before the client says anything', async () => {
    const { port } = await linked((socket) => socket.end('220 hello\r\n'));
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, VIP);
      socket.once('data', (chunk: Buffer) => {
        socket.destroy();
        resolve(chunk.toString());
      });
      socket.once('error', reject);
    });
    assert.equal(answer, '220 hello\r\n');
  });

  it('500 connections at once, slow readers among them → each gets its own bytes back', async function () {
    this.timeout(60_000);
    const { port } = await linked(echo);
    const results = await Promise.all(
      Array.from({ length: 500 }, async (_, index) => {
        const payload = randomBytes(32 * 1024);
        const back = await new Promise<Buffer>((resolve, reject) => {
          const socket = connect({ port, host: VIP, allowHalfOpen: true });
          const chunks: Buffer[] = [];
          socket.on('data', (chunk: Buffer) => {
            chunks.push(chunk);
            if (index % 5 !== 0) return;
            socket.pause();
            setImmediate(() => socket.resume());
          });
          socket.once('end', () => resolve(Buffer.concat(chunks)));
          socket.once('error', reject);
          socket.end(payload);
        });
        return back.equals(payload);
      }),
    );
    assert.equal(results.filter((equal) => !equal).length, 0);
  });

  it('no egress yes → reset before any byte, EGRESS_DENIED', async () => {
    const { west, east, port } = await linked(echo);
    const version = west.apply({ peers: [route(east)], imports: importing('east') });
    await waitFor('the snapshot is in force', () => west.acknowledged() === version);
    assert.equal(await outcomeOf(VIP, port), 'ECONNRESET');
    const record = await waitFor('west records it', () =>
      west.closings.find(({ reason }) => reason === 'EGRESS_DENIED'),
    );
    assert.equal(record.sentBytes + record.receivedBytes, 0);
  });

  it('no ingress yes → reset, INGRESS_DENIED at both ends with one connection id', async () => {
    const { west, east, port } = await linked(echo);
    const version = east.apply({ peers: [route(west)], exports: exporting(1) });
    await waitFor('the snapshot is in force', () => east.acknowledged() === version);
    assert.equal(await outcomeOf(VIP, port), 'ECONNRESET');
    const mine = await waitFor('west records it', () =>
      west.closings.find(({ reason }) => reason === 'INGRESS_DENIED'),
    );
    const theirs = await waitFor('east records it', () =>
      east.closings.find(({ reason }) => reason === 'INGRESS_DENIED'),
    );
    assert.equal(mine.connection, theirs.connection);
  });

  for (const side of ['east', 'west'] as const) {
    it(`${side}'s policy turns to no while a connection is open → reset within 2 s, POLICY_CHANGED`, async () => {
      const { east, west, port } = await linked(echo);
      const socket = connect({ port, host: VIP });
      const cut = new Promise<string>((resolve) => {
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
        socket.once('end', () => resolve('end'));
      });
      socket.write('x');
      await new Promise((resolve) => socket.once('data', resolve));
      const startedMs = performance.now();
      if (side === 'east') east.apply({ peers: [route(west)], exports: exporting(1) });
      else west.apply({ peers: [route(east)], imports: importing('east') });
      assert.equal(await cut, 'ECONNRESET');
      assert.ok(performance.now() - startedMs < 2_000);
      const plane = side === 'east' ? east : west;
      await waitFor('it is recorded', () => plane.closings.some(({ reason }) => reason === 'POLICY_CHANGED'));
    });
  }

  it('the export is deleted while a connection is open → reset, EXPORT_DELETED', async () => {
    const { east, west, port } = await linked(echo);
    const socket = connect({ port, host: VIP });
    const cut = new Promise((resolve) => socket.once('error', resolve));
    socket.write('x');
    await new Promise((resolve) => socket.once('data', resolve));
    east.apply({ peers: [route(west)], policies: allowAll('shop') });
    await cut;
    await waitFor('east records it', () => east.closings.some(({ reason }) => reason === 'EXPORT_DELETED'));
  });

  it('the service resets → the client sees a reset, never a clean end', async () => {
    const { port } = await linked((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const seen = await new Promise<string>((resolve) => {
      const socket = connect(port, VIP);
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      socket.once('end', () => resolve('end'));
      socket.write('x');
    });
    assert.equal(seen, 'ECONNRESET');
  });

  it('the session dies in the middle of a transfer → resets at both ends, SESSION_LOST, one record each', async () => {
    const service = { endings: [] as string[], received: 0 };
    const { east, west, port, proxy } = await linkedOver((socket) => {
      socket.on('data', (chunk: Buffer) => (service.received += chunk.length));
      socket.on('error', (error: NodeJS.ErrnoException) => service.endings.push(error.code ?? ''));
      socket.on('end', () => service.endings.push('end'));
      socket.write('x');
    });
    const { socket, ended } = await openConnection(port);
    const payload = Buffer.alloc(256 * 1024);
    const feed = (): void => {
      while (socket.writable && socket.write(payload));
    };
    socket.on('drain', feed);
    feed();
    await waitFor('bytes flow', () => service.received > 1024 * 1024);
    proxy.cut();
    assert.equal(await ended, 'ECONNRESET');
    await waitFor('the service sees its end', () => service.endings.length > 0);
    assert.deepEqual(service.endings, ['ECONNRESET']);
    assert.deepEqual(
      [(await onlyClosing(west)).reason, (await onlyClosing(east)).reason],
      ['SESSION_LOST', 'SESSION_LOST'],
    );
    await waitFor('a new session carries new connections', async () => {
      const again = await openConnection(await listenPort(west));
      again.socket.resetAndDestroy();
      return true;
    });
  });

  it('the client resets → the service sees a reset, ABORTED at both ends, one record each', async () => {
    const endings: string[] = [];
    const { east, west, port } = await linked((socket) => {
      socket.on('data', (chunk: Buffer) => socket.write(chunk));
      socket.on('error', (error: NodeJS.ErrnoException) => endings.push(error.code ?? ''));
      socket.on('end', () => endings.push('end'));
    });
    const { socket } = await openConnection(port);
    socket.resetAndDestroy();
    await waitFor('the service sees its end', () => endings.length > 0);
    assert.deepEqual(endings, ['ECONNRESET']);
    assert.deepEqual([(await onlyClosing(west)).reason, (await onlyClosing(east)).reason], ['ABORTED', 'ABORTED']);
  });

  for (const [side, reasons] of [
    ['east', ['INGRESS_DENIED', 'POLICY_CHANGED']],
    ['west', ['POLICY_CHANGED', 'EGRESS_DENIED']],
  ] as const) {
    it(`${side} cuts in the middle of a bulk transfer → the other end knows by whom: ${reasons.join(', ')}`, async () => {
      const { east, west, port } = await linked((socket) => {
        const payload = Buffer.alloc(256 * 1024);
        const feed = (): void => {
          while (socket.writable && socket.write(payload));
        };
        socket.on('drain', feed);
        feed();
      });
      const { socket, ended } = await openConnection(port);
      socket.resume();
      await waitFor('bytes flow', () => socket.bytesRead > 1024 * 1024);
      if (side === 'east') east.apply({ peers: [route(west)], exports: exporting(1) });
      else west.apply({ peers: [route(east)], imports: importing('east') });
      assert.equal(await ended, 'ECONNRESET');
      assert.deepEqual([(await onlyClosing(west)).reason, (await onlyClosing(east)).reason], reasons);
    });
  }

  it('a policy turns to no while the source is being opened → no byte passes without early data, POLICY_CHANGED', async () => {
    let received = 0;
    const count = (socket: Socket): void => void socket.on('data', (chunk: Buffer) => (received += chunk.length));
    const { east, west, port, proxy } = await linkedOver(count, { earlyData: 'Off' });
    proxy.hold();
    const outcome = outcomeOf(VIP, port, 'x');
    await waitFor('east has said yes', () => east.opened() > 0);
    const version = west.apply({ peers: [route(east)], imports: importing('east') });
    await waitFor('the snapshot is in force', () => west.acknowledged() === version);
    proxy.release();
    assert.equal(await outcome, 'ECONNRESET');
    const mine = await onlyClosing(west);
    assert.deepEqual([mine.reason, mine.opened], ['POLICY_CHANGED', false]);
    assert.equal((await onlyClosing(east)).reason, 'EGRESS_DENIED');
    assert.equal(received, 0);
  });

  it('the Peer object goes → its connections and sessions end, PEER_UNKNOWN; it is turned away until it is back', async () => {
    const { east, west, port } = await linkedOver(echo);
    const { ended } = await openConnection(port);
    const service = await backend(echo);
    east.apply({ exports: exporting(service.port), policies: allowAll('shop') });
    assert.equal(await ended, 'ECONNRESET');
    assert.equal((await onlyClosing(east)).reason, 'PEER_UNKNOWN');
    assert.ok(['INGRESS_DENIED', 'SESSION_LOST'].includes((await onlyClosing(west)).reason));
    await waitFor('it is observed', () => east.peers.get('west')?.reason === 'PEER_UNKNOWN');
    await waitFor('it is turned away', () => east.refusals.some((refusal) => refusal.startsWith('PEER_UNKNOWN west')));
    await waitFor('the listener is closed', async () => (await outcomeOf(VIP, port)) === 'ECONNREFUSED');
    east.apply({ peers: [route(west)], exports: exporting(service.port), policies: allowAll('shop') });
    await waitFor('it is back', async () => (await roundTrip(await listenPort(west), Buffer.from('x'))).length === 1);
  });

  it('the export loses the port while a connection is open → reset, EXPORT_DELETED', async () => {
    const { east, west, port } = await linked(echo);
    const { ended } = await openConnection(port);
    const [db] = exporting(1);
    assert.ok(db !== undefined);
    east.apply({ peers: [route(west)], exports: [{ ...db, ports: [] }], policies: allowAll('shop') });
    assert.equal(await ended, 'ECONNRESET');
    assert.equal((await onlyClosing(east)).reason, 'EXPORT_DELETED');
  });

  it('more denied sources than are tried for one connection → the allowed one is used all the same', async () => {
    const [west, service] = [await start('west'), await backend(echo)];
    const [imported] = importing('west');
    assert.ok(imported !== undefined);
    const names = Array.from({ length: SOURCES_PER_CONNECTION_MAX + 2 }, (_, index) => `denied-${index}`);
    const [db] = exporting(service.port);
    assert.ok(db !== undefined);
    west.apply({
      imports: [
        {
          ...imported,
          sources: [...names, 'db'].map((name) => ({
            ...{ peer: 'west', namespace: 'shop', name },
            ...{ ports: [5432], readyEndpoints: 1 },
          })),
        },
      ],
      exports: [db, ...names.map((name) => ({ ...db, name }))],
      policies: [
        ...allowAll('shop'),
        {
          ...{ apiVersion: 'clusterlink.net/v1alpha1', kind: 'AccessPolicy' },
          metadata: { namespace: 'store', name: 'db-only' },
          spec: {
            action: 'allow',
            from: [{ workloadSelector: {} }],
            to: [{ workloadSelector: { matchLabels: { 'export.clusterlink.net/name': 'db' } } }],
          },
        },
      ],
    });
    const port = await listenPort(west);
    for (let turn = 0; turn < 3; turn++) assert.equal((await roundTrip(port, Buffer.from('x'))).toString(), 'x');
  });

  it('a peer without an address exports over the session it has dialled', async () => {
    const [south, west, service] = [await start('south', 'no'), await start('west'), await backend(echo)];
    south.apply({ peers: [route(west)], exports: exporting(service.port), policies: allowAll('shop') });
    west.apply({ peers: [route(south)], imports: importing('south'), policies: allowAll('store') });
    const port = await listenPort(west);
    assert.equal((await roundTrip(port, Buffer.from('over'))).toString(), 'over');
  });

  it('the only source goes away → the import refuses to connect within 2 s, and comes back with it', async () => {
    const { east, west, port } = await linked(echo);
    const lost = performance.now();
    await east.close();
    await waitFor('the listener is closed', async () => (await outcomeOf(VIP, port)) === 'ECONNREFUSED', 2_000);
    assert.ok(performance.now() - lost < 2_000);
    const seen = west.imports.get('store/db');
    assert.deepEqual(
      seen?.sources.map(({ usable, reason }) => [usable, reason]),
      [[false, 'PEER_UNREACHABLE']],
    );
    const again = await start('east');
    again.apply({ peers: [route(west)], exports: exporting((await backend(echo)).port), policies: allowAll('shop') });
    west.apply({ peers: [route(again)], imports: importing('east'), policies: allowAll('store') });
    await waitFor(
      'it can be reached again',
      async () => (await roundTrip(await listenPort(west), Buffer.from('x'))).length === 1,
    );
  });

  it('one of two sources goes away → new connections go on through the other within 2 s', async () => {
    const tagged = (tag: string) => (socket: Socket) => socket.end(tag);
    const [east, south, west] = [await start('east'), await start('south', 'no'), await start('west')];
    const services = [await backend(tagged('east')), await backend(tagged('south'))];
    east.apply({ peers: [route(west)], exports: exporting(services[0]?.port ?? 0), policies: allowAll('shop') });
    south.apply({ peers: [route(west)], exports: exporting(services[1]?.port ?? 0), policies: allowAll('shop') });
    west.apply({
      peers: [route(east), route(south)],
      imports: importing('east', 'south'),
      policies: allowAll('store'),
    });
    const port = await listenPort(west);
    const seen = new Set<string>();
    await waitFor('both answer', async () => seen.add((await roundTrip(port, Buffer.alloc(0))).toString()).size === 2);
    await east.close();
    await waitFor(
      'south alone answers',
      async () => (await roundTrip(port, Buffer.alloc(0))).toString() === 'south',
      2_000,
    );
    for (let count = 0; count < 4; count++) assert.equal((await roundTrip(port, Buffer.alloc(0))).toString(), 'south');
  });

  it('self is a source like any other: both decisions, no session', async () => {
    const [west, service] = [await start('west'), await backend(echo)];
    west.apply({ imports: importing('west'), exports: exporting(service.port), policies: allowAll('store') });
    const port = await listenPort(west);
    assert.equal(await outcomeOf(VIP, port), 'ECONNRESET');
    await waitFor('the ingress half said no', () => west.closings.some(({ reason }) => reason === 'INGRESS_DENIED'));
    west.apply({ imports: importing('west'), exports: exporting(service.port), policies: allowAll('store', 'shop') });
    await waitFor('it passes', async () => (await roundTrip(port, Buffer.from('x'))).toString() === 'x');
  });

  it('an endpoint that is not permitted → TARGET_FORBIDDEN at its owner, no more than "unavailable" at the other', async () => {
    const [east, west, service] = [
      await startTestPlane({ fabric, name: 'east', targets: ['10.0.0.0/8:*'] }),
      await start('west'),
      await backend(echo),
    ];
    open.push(east);
    east.apply({ peers: [route(west)], exports: exporting(service.port), policies: allowAll('shop') });
    west.apply({ peers: [route(east)], imports: importing('east'), policies: allowAll('store') });
    assert.equal(await outcomeOf(VIP, await listenPort(west)), 'ECONNRESET');
    await waitFor('east knows', () => east.closings.some(({ reason }) => reason === 'TARGET_FORBIDDEN'));
    const mine = await waitFor('west knows less', () => west.closings[0]);
    assert.equal(mine.reason, 'NO_USABLE_SOURCE');
  });

  it('a drain → no new connections, the open one goes on to its end', async () => {
    const { west, port } = await linked(echo);
    const socket = connect({ port, host: VIP, allowHalfOpen: true });
    socket.write('x');
    await new Promise((resolve) => socket.once('data', resolve));
    west.post({ kind: 'drain', deadlineMs: 10_000, quietMs: 0 });
    await waitFor('the listener is closed', async () => (await outcomeOf(VIP, port)) === 'ECONNREFUSED');
    assert.equal(west.drained(), false);
    const back = new Promise<string>((resolve) => socket.once('data', (chunk: Buffer) => resolve(chunk.toString())));
    socket.end('last words');
    assert.equal(await back, 'last words');
    await waitFor('the drain is over', () => west.drained());
  });

  it('a drain that is over before the connection → reset, DRAINED', async () => {
    const { west, port } = await linked(echo);
    const socket = connect({ port, host: VIP });
    const cut = new Promise<string>((resolve) =>
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? '')),
    );
    socket.write('x');
    await new Promise((resolve) => socket.once('data', resolve));
    west.post({ kind: 'drain', deadlineMs: 50, quietMs: 0 });
    assert.equal(await cut, 'ECONNRESET');
    await waitFor('it is recorded', () => west.closings.some(({ reason }) => reason === 'DRAINED'));
  });
});
