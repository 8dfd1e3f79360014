/** How one gateway spreads real connections over three real exporters, by scheme, priority and weight. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ImportRoute, RouteSource } from '#src/gateway/messages.ts';
import { PING_AFTER_MS } from '#src/gateway/yamux/limits.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { allowAll, startTestPlane, type TestPlane } from '#test/support/planes.ts';
import { waitFor } from '#test/support/wait.ts';

const VIP = '127.99.7.1';
const LISTEN_PORT = 26_007;
const EXPORTERS = ['a', 'b', 'c'];
/** How far the far ones are, each way: well beyond the margin of LeastLatency and what a busy machine adds. */
const FAR_MS = 30;

describe('load balancing', function () {
  this.timeout(30_000);
  let fabric: TestFabric;
  let west: TestPlane;
  const exporters = new Map<string, TestPlane>();
  const gateways = new Map<string, number>();
  /** By exporter: for how long its wire holds each byte. */
  const delaysMs = new Map<string, number>();
  const open: (() => unknown)[] = [];

  before(async () => {
    fabric = await makeTestFabric();
    west = await startTestPlane({ fabric, name: 'west' });
    open.push(() => west.close());
    for (const name of EXPORTERS) {
      const plane = await startTestPlane({ fabric, name });
      open.push(() => plane.close());
      const endpoints = [{ host: '127.0.0.1', port: await startNamed(name) }];
      plane.apply({
        peers: [{ name: 'west', labels: {}, gateways: [], mayAssert: [] }],
        exports: [
          {
            ...{ namespace: 'shop', name: 'db', uid: 'u', labels: {} },
            ports: [{ name: '', protocol: 'TCP', port: 5432, endpoints }],
          },
        ],
        policies: allowAll('shop'),
      });
      exporters.set(name, plane);
      gateways.set(name, await startSlowWire(plane.port, () => delaysMs.get(name) ?? 0));
    }
  });
  after(async () => {
    for (const close of open.reverse()) await close();
    await fabric.remove();
  });

  async function listen(onSocket: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
      onSocket(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(() => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  const startNamed = (name: string): Promise<number> => listen((socket) => socket.end(name));

  /** To a gateway and back, each chunk later by as much as the wire says then. */
  const startSlowWire = (port: number, delayMs: () => number): Promise<number> =>
    listen((near) => {
      const far = connect({ port, host: '127.0.0.1', noDelay: true }).on('error', () => near.destroy());
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on('data', (chunk) => void setTimeout(() => to.destroyed || to.write(chunk), delayMs()));
        from.on('close', () => to.destroy());
      }
    });

  /** Imports from all three; `balance` by exporter. */
  async function importAll(
    route: Partial<ImportRoute>,
    balance: Readonly<Record<string, Pick<RouteSource, 'priority' | 'weight'>>> = {},
  ): Promise<void> {
    const port = { name: '', protocol: 'TCP' as const, port: 5432 };
    const sources = EXPORTERS.map((peer) => {
      return { peer, namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1, ...balance[peer] };
    });
    const version = west.apply({
      peers: EXPORTERS.map((name) => {
        const address = { host: '127.0.0.1', port: gateways.get(name) ?? 0 };
        return { name, labels: {}, gateways: [address], mayAssert: [] };
      }),
      imports: [
        {
          ...{ key: { namespace: 'store', name: 'db' }, ips: [VIP], sources, labels: {}, localFirst: true },
          ports: [{ ...port, lastListenPort: LISTEN_PORT }],
          ...route,
        },
      ],
      policies: allowAll('store'),
    });
    await waitFor('it is in force, and all can be used', () => {
      const { sources: told = [], listeners = [] } = west.imports.get('store/db') ?? {};
      const isServed = listeners.some(({ state }) => state === 'Listening');
      return west.acknowledged() === version && isServed && told.every(({ usable }) => usable);
    });
  }

  /** Which exporter served it. */
  async function client(): Promise<string> {
    const { listeners = [] } = west.imports.get('store/db') ?? {};
    const port = listeners.find(({ state }) => state === 'Listening')?.listenPort ?? 0;
    const chunks: Buffer[] = [];
    for await (const chunk of connect(port, VIP) as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  async function clients(count: number): Promise<string> {
    let served = '';
    for (let index = 0; index < count; index++) served += await client();
    return served;
  }

  it('RoundRobin → one after the other, from the first on', async () => {
    await importAll({});
    assert.equal(await clients(9), 'abcabcabc');
  });

  it('RoundRobin, many at once → each has the same share', async () => {
    await importAll({});
    const served = await Promise.all(Array.from({ length: 30 }, client));
    for (const name of EXPORTERS) assert.equal(served.filter((by) => by === name).length, 10);
  });

  it('weights 3, 1 and 0 → exact shares, and none', async () => {
    await importAll({}, { a: { weight: 3 }, c: { weight: 0 } });
    assert.equal([...(await clients(8))].sort().join(''), 'aaaaaabb');
  });

  it('Random → each of the three', async () => {
    await importAll({ scheme: 'Random' });
    // That one of three is missed by 40 draws happens once in four million runs.
    assert.deepEqual(new Set(await clients(40)), new Set(EXPORTERS));
  });

  it('LeastLatency → the nearest; another one is nearer by far → that one, a while later', async () => {
    delaysMs.set('a', FAR_MS).set('c', FAR_MS);
    await importAll({ scheme: 'LeastLatency' });
    // A session is measured while it is idle: clients that come all the time would keep the old measure alive.
    const isServedBy = (name: string): Promise<unknown> =>
      waitFor(
        `${name} serves`,
        () => sleep(PING_AFTER_MS + FAR_MS).then(async () => (await client()) === name),
        15_000,
      );
    await isServedBy('b');
    delaysMs.set('b', FAR_MS).delete('c');
    await isServedBy('c');
    assert.equal(await clients(3), 'ccc');
    delaysMs.clear();
  });

  it('Static, priorities → the first; it goes → the next of its priority, then the lower one', async () => {
    await importAll({ scheme: 'Static' }, { a: { priority: 1 } });
    assert.equal(await clients(3), 'bbb');
    await exporters.get('b')?.close();
    await waitFor('b is lost', () => west.peers.get('b')?.version === undefined);
    assert.equal(await clients(3), 'ccc');
    await exporters.get('c')?.close();
    await waitFor('c is lost', () => west.peers.get('c')?.version === undefined);
    assert.equal(await clients(3), 'aaa');
  });
});
