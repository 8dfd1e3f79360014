/** A peer that only dials: through a proxy, over a link that is cut, to a name whose address changes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { stringify } from 'yaml';
import { HANDSHAKE_TIMEOUT_MS } from '#src/gateway/limits.ts';
import { parseProxyUrl, type ProxyAddress } from '#src/runtime/proxy-url.ts';
import { startConnectProxy, type ConnectProxy } from '#test/support/connect-proxy.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { startLink } from '#test/support/link.ts';
import { allowAll, startTestPlane, type SnapshotParts, type TestPlane } from '#test/support/planes.ts';
import { makeWorld } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

const VIPS = { east: '127.99.6.1', west: '127.99.6.2' } as const;
const LISTEN_PORT = 26_006;
/** After a link is there again (issue C: sessions come back in 5 s). */
const BACK_MS = 5_000;

type Route = NonNullable<SnapshotParts['peers']>[number];
type Outbound = NonNullable<Parameters<typeof startTestPlane>[0]['outbound']>;

const EAST = { host: 'gw.east.example', port: 443 };

function route(name: string, ...gateways: Route['gateways'][number][]): Route {
  return { name, labels: {}, gateways, mayAssert: [] };
}

describe('outbound', function () {
  this.timeout(30_000);
  let fabric: TestFabric;
  const open: (() => unknown)[] = [];

  before(async () => (fabric = await makeTestFabric()));
  after(() => fabric.remove());
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });

  async function start(name: 'east' | 'west', outbound?: Outbound): Promise<TestPlane> {
    const plane = await startTestPlane({ fabric, name, ...(outbound === undefined ? {} : { outbound, listen: 'no' }) });
    open.push(() => plane.close());
    return plane;
  }

  /** Says its name, then echoes. */
  async function service(name: string): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket.on('error', () => undefined));
      socket.write(`${name} `);
      socket.pipe(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(() => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  /** Each exports shop/db and imports that of the other one as store/db. */
  async function applyTo(plane: TestPlane, other: Route): Promise<void> {
    const endpoints = [{ host: '127.0.0.1', port: await service(plane.name) }];
    const port = { name: '', protocol: 'TCP' as const, port: 5432 };
    plane.apply({
      peers: [other],
      exports: [{ namespace: 'shop', name: 'db', uid: 'u', labels: {}, ports: [{ ...port, endpoints }] }],
      imports: [
        {
          key: { namespace: 'store', name: 'db' },
          ips: [VIPS[plane.name as 'east' | 'west']],
          ports: [{ ...port, lastListenPort: LISTEN_PORT }],
          sources: [{ peer: other.name, namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 }],
          labels: {},
          localFirst: true,
        },
      ],
      policies: allowAll('shop', 'store'),
    });
  }

  async function dial(plane: TestPlane): Promise<Socket> {
    const listener = await waitFor(`${plane.name} listens`, () =>
      plane.imports.get('store/db')?.listeners.find(({ state }) => state === 'Listening'),
    );
    const host = VIPS[plane.name as 'east' | 'west'];
    const socket = connect({ port: listener.listenPort ?? 0, host, allowHalfOpen: true });
    open.push(() => socket.on('error', () => undefined).destroy());
    return socket;
  }
  /** One client from connect to a clean end: what came back. */
  async function ask(plane: TestPlane): Promise<string> {
    const socket = await dial(plane);
    socket.end(`asked by ${plane.name}`);
    const chunks: Buffer[] = [];
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }
  const isReachable = (plane: TestPlane, peer: string): boolean => plane.peers.get(peer)?.version !== undefined;
  const messageOf = (plane: TestPlane): string => plane.peers.get('east')?.message ?? '';

  describe('behind an HTTP proxy', () => {
    let east: TestPlane;
    let proxy: ConnectProxy;

    beforeEach(async () => {
      east = await start('east');
      const authorization = addressOf('http://west:hush@proxy:1').authorization() ?? '';
      proxy = await startConnectProxy({ hosts: { 'gw.east.example:443': east.port }, authorization });
      open.push(() => proxy.close());
      await applyTo(east, route('west'));
    });

    function addressOf(url: string): ProxyAddress {
      const parsed = parseProxyUrl(url);
      assert.ok(parsed.ok);
      return parsed.proxy;
    }
    /** West asks nobody for the name: there is no resolver that knows it. */
    async function startWest(credentials = 'west:hush@'): Promise<TestPlane> {
      const resolve = (host: string): Promise<string[]> => assert.fail(`${host} was looked up`);
      const west = await start('west', { proxy: addressOf(`http://${credentials}127.0.0.1:${proxy.port}`), resolve });
      await applyTo(west, route('east', EAST));
      return west;
    }

    it('west dials out alone → both use what the other exports, over the one connection; the name is the proxy’s to resolve', async () => {
      const west = await startWest();
      assert.equal(await ask(west), 'east asked by west');
      assert.equal(await ask(east), 'west asked by east');
      assert.deepEqual(proxy.asked, ['gw.east.example:443']);
    });

    it('a megabyte each way → whole', async () => {
      const west = await startWest();
      const socket = await dial(west);
      const payload = Buffer.alloc(1024 * 1024, 'x');
      socket.end(payload);
      let bytes = 0;
      for await (const chunk of socket as AsyncIterable<Buffer>) bytes += chunk.length;
      assert.equal(bytes, 'east '.length + payload.length);
    });

    it('no credentials → 407 and what to do, in the peer’s message', async () => {
      const west = await startWest('');
      await waitFor('it says why', () => messageOf(west).includes('407'));
      assert.match(
        messageOf(west),
        /^gw\.east\.example:443: proxy 127\.0\.0\.1:\d+ answered 407\. Fix: give proxy a user/,
      );
      assert.equal(west.peers.get('east')?.reason, 'PEER_UNREACHABLE');
    });

    it('wrong credentials → 407, and they stand nowhere', async () => {
      const west = await startWest('west:quiet@');
      await waitFor('it says why', () => messageOf(west).includes('407'));
      assert.doesNotMatch(JSON.stringify([...west.peers.values(), west.refusals, west.closings]), /quiet|cXVpZXQ/);
    });

    it('it stalls → no answer in time, named; it answers again → reachable', async () => {
      proxy.set('stalls');
      const west = await startWest();
      const startMs = performance.now();
      await waitFor('it says why', () => messageOf(west).includes('takes connections and does not answer'));
      assert.ok(performance.now() - startMs < HANDSHAKE_TIMEOUT_MS + 1_000);
      proxy.set('connects');
      await waitFor('it is reachable', () => isReachable(west, 'east'));
    });

    it('it restarts → sessions are back in 5 s', async () => {
      const west = await startWest();
      await waitFor('it is reachable', () => isReachable(west, 'east'));
      proxy.set(503);
      proxy.cut();
      await waitFor('it says why', () => messageOf(west).includes('answered 503. Fix: see from there'));
      proxy.set('connects');
      const startMs = performance.now();
      await waitFor('it is reachable', () => isReachable(west, 'east'));
      assert.ok(performance.now() - startMs < BACK_MS);
    });
  });

  for (const workers of [0, 1]) {
    it(`a process with \`proxy\` in its configuration, workers: ${workers} → dials through it; the password is in no log and no status`, async () => {
      const world = await makeWorld();
      open.push(() => world.close());
      const proxy = await startConnectProxy({ hosts: {}, authorization: 'Basic another' });
      open.push(() => proxy.close());
      const url = `http://west:hush@127.0.0.1:${proxy.port}`;
      const west = await world.peer('west', { gateway: {}, proxy: url, proxyExcept: ['corp.example'], workers });
      await west.write('peers.yaml', peerManifest({ name: 'east', gateways: [EAST] }));
      const told = await waitFor('its status names the proxy', async () => {
        const text = JSON.stringify(await west.status());
        return text.includes('answered 407') && text;
      });
      assert.doesNotMatch(told + west.log(), /hush|d2VzdDpodXNo/);
      assert.ok(proxy.asked.every((target) => target === 'gw.east.example:443'));
    });
  }

  it('the link is cut and restored later, as when an address of ours changes → reachable in 5 s, both ways', async () => {
    const east = await start('east');
    const link = await startLink({ host: '127.0.0.1', port: east.port });
    open.push(() => link.close());
    const west = await start('west', {});
    await applyTo(east, route('west'));
    await applyTo(west, route('east', { host: '127.0.0.1', port: link.port }));
    assert.equal(await ask(west), 'east asked by west');
    link.set('cut');
    await waitFor('both know', () => !isReachable(west, 'east') && !isReachable(east, 'west'));
    const cutMs = performance.now();
    await waitFor('waits have grown', () => performance.now() - cutMs > 1_600);
    link.set('open');
    const startMs = performance.now();
    assert.equal(await ask(west), 'east asked by west');
    assert.equal(await ask(east), 'west asked by east');
    assert.ok(performance.now() - startMs < BACK_MS, `${performance.now() - startMs} ms`);
  });

  describe('a gateway by name', () => {
    it('the first of its addresses takes nothing → the next one is used', async () => {
      const east = await start('east');
      const west = await start('west', { resolve: () => Promise.resolve(['127.0.0.2', '127.0.0.1']) });
      await applyTo(east, route('west'));
      await applyTo(west, route('east', { host: 'gw.east.example', port: east.port }));
      assert.equal(await ask(west), 'east asked by west');
    });

    it('its address changes while the old one still serves → new streams take the new one, no open connection is cut, the old session ends with its last', async () => {
      const east = await start('east');
      const before = await forward('127.0.0.3', 0, east.port);
      const late = await forward('127.0.0.4', before.port, east.port);
      let answers: string[] | undefined = ['127.0.0.3'];
      let looks = 0;
      const west = await start('west', {
        resolve() {
          looks++;
          return answers === undefined ? Promise.reject(new Error('EAI_AGAIN')) : Promise.resolve(answers);
        },
        resolveIntervalMs: 50,
      });
      await applyTo(east, route('west'));
      await applyTo(west, route('east', { host: 'gw.east.example', port: before.port }));
      const old = await dial(west);
      assert.equal(String((await once(old, 'data'))[0]), 'east ');
      assert.deepEqual([before.taken(), late.taken()], [1, 0]);

      const exchange: string[] = [];
      west.onExchange(({ kind }) => exchange.push(kind));
      west.post({ kind: 'exchange-open', peer: 'east', channel: 'c' });
      await waitFor('an exchange is open', () => exchange.includes('exchange-opened'));

      answers = undefined;
      const failedAt = looks;
      await waitFor('the resolver failed a few times', () => looks > failedAt + 5);
      assert.equal(late.taken(), 0, 'a resolver that fails changes nothing');
      answers = ['127.0.0.4'];
      await waitFor(
        'there is a session at the new address',
        () => late.taken() === 1 && west.peers.get('east')?.sessions === 2,
      );
      assert.equal(await ask(west), 'east asked by west');
      assert.equal(await ask(east), 'west asked by east');
      assert.equal(before.open(), 1, 'the old session is there for its connection');
      assert.ok(exchange.includes('exchange-closed'), 'its exchange is opened anew over the other one');
      old.write('still here');
      assert.equal(String((await once(old, 'data'))[0]), 'still here');
      assert.ok(west.closings.every(({ reason }) => reason === 'DONE'));

      old.end();
      await waitFor('the old session has ended', () => before.open() === 0 && west.peers.get('east')?.sessions === 1);
      assert.ok(west.closings.length === 3 && west.closings.every(({ reason }) => reason === 'DONE'));
      assert.equal(await ask(west), 'east asked by west');
    });
  });

  function peerManifest({ name, gateways }: { readonly name: string; readonly gateways: Route['gateways'] }): string {
    return stringify({
      apiVersion: 'clusterlink.net/v1alpha1',
      kind: 'Peer',
      metadata: { name, namespace: 'clusterlink-system' },
      spec: { gateways },
    });
  }

  /** Another address of the host, from which connections lead to the target. */
  async function forward(host: string, port: number, target: number) {
    const sockets = new Set<Socket>();
    let taken = 0;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      taken++;
      const far = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      sockets.add(near);
      near.on('close', () => sockets.delete(near));
      for (const socket of [near, far]) {
        socket.on('error', () => undefined).once('close', () => [near, far].forEach((end) => end.destroy()));
      }
      near.pipe(far);
      far.pipe(near);
    });
    server.listen(port, host);
    await once(server, 'listening');
    open.push(() => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    });
    return { port: (server.address() as AddressInfo).port, taken: () => taken, open: () => sockets.size };
  }
});
