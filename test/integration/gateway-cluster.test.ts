/** Gateways in their Kubernetes home: target ports, clients known by pod, and replicas of a peer behind one address. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { IAccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import type { ClientIdentity } from '#src/gateway/client-identity.ts';
import type { Home } from '#src/gateway/home.ts';
import { CLIENT_WAIT_MS, LISTEN_RETRY_MS } from '#src/gateway/limits.ts';
import type { ImportRoute } from '#src/gateway/messages.ts';
import { startBalancer, type Backend, type Balancer } from '#test/support/balancer.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { allowAll, CLUSTER, startTestPlane, type SnapshotParts, type TestPlane } from '#test/support/planes.ts';
import { waitFor } from '#test/support/wait.ts';

const TARGET_PORT = 26_110;
const POD = '127.0.0.2';

/** As which client a connection is made. */
interface Opened {
  readonly socket: Socket;
  /** The first bytes, or why there were none. */
  readonly first: Promise<string>;
  /** How it ended. */
  readonly ended: Promise<string>;
}

function open(port: number, from = POD, host = '127.0.0.1'): Opened {
  const socket = connect({ port, host, localAddress: from, allowHalfOpen: true });
  const ended = new Promise<string>((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.once('end', () => resolve('end'));
  });
  // What the service says of itself, without the echo that may come with it.
  const data = new Promise<string>((resolve) =>
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString().replace(/x$/, ''))),
  );
  socket.write('x');
  return { socket, ended, first: Promise.race([data, ended]) };
}

async function outcomeOf(port: number, from = POD, host = '127.0.0.1'): Promise<string> {
  const { socket, first } = open(port, from, host);
  const outcome = await first;
  socket.destroy();
  return outcome;
}

function importing(name: string, targetPort: number, exporter = 'east'): ImportRoute {
  return {
    key: { namespace: 'store', name },
    ips: ['10.96.0.10'],
    ports: [{ name: '', protocol: 'TCP', port: 5432, targetPort }],
    sources: [{ peer: exporter, namespace: 'shop', name, ports: [5432], readyEndpoints: 1 }],
    labels: {},
    localFirst: true,
  };
}

function exporting(name: string, ...ports: number[]): NonNullable<SnapshotParts['exports']>[number] {
  const endpoints = ports.map((port) => ({ host: '127.0.0.1', port }));
  return {
    ...{ namespace: 'shop', name, uid: `uid-${name}`, labels: {} },
    ports: [{ name: '', protocol: 'TCP', port: 5432, endpoints }],
  };
}

function route(name: string, ...ports: number[]): NonNullable<SnapshotParts['peers']>[number] {
  const gateways = ports.map((port) => ({ host: '127.0.0.1', port }));
  return { name, labels: {}, gateways, mayAssert: ['namespace', 'service-account', 'labels'] };
}

/** Only clients of this namespace. */
function allowClients(namespace: string, client: string): IAccessPolicy {
  const matchLabels = { 'client.clusterlink.net/namespace': client };
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { namespace, name: `from-${client}` },
    spec: { action: 'allow', from: [{ workloadSelector: { matchLabels } }], to: [{ workloadSelector: {} }] },
  };
}

const web: ClientIdentity = { namespace: 'web', serviceAccount: 'front', labels: { app: 'front' } };
const dev: ClientIdentity = { namespace: 'dev', serviceAccount: 'front', labels: {} };

describe('gateway in a cluster', function () {
  let fabric: TestFabric;
  const opened: { close(): unknown }[] = [];

  before(async () => {
    fabric = await makeTestFabric();
  });
  after(() => fabric.remove());
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  });

  async function start(name: string, home?: Home): Promise<TestPlane> {
    const plane = await startTestPlane({ fabric, name, ...(home === undefined ? {} : { home }) });
    opened.push(plane);
    return plane;
  }
  async function balancer(...backends: Backend[]): Promise<Balancer> {
    const one = await startBalancer(backends);
    opened.push(one);
    return one;
  }
  /** Says its name to whoever connects, and repeats what it hears. */
  async function service(name: string): Promise<number> {
    const sockets = new Set<Socket>();
    const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket.on('error', () => undefined));
      socket.write(name);
      socket.pipe(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    opened.push({
      close() {
        sockets.forEach((socket) => socket.destroy());
        server.close();
      },
    });
    return (server.address() as AddressInfo).port;
  }
  function tell(plane: TestPlane, ...set: (readonly [string, ClientIdentity])[]): void {
    plane.post({ kind: 'clients', full: true, set, remove: [] });
  }
  /** East exports `shop/db`; west is a pod that imports it. */
  async function linked(policies: readonly IAccessPolicy[]): Promise<{ east: TestPlane; west: TestPlane }> {
    const [east, west, port] = [await start('east'), await start('west', CLUSTER), await service('db')];
    east.apply({ peers: [route('west')], exports: [exporting('db', port)], policies: allowAll('shop') });
    tell(west, [POD, web]);
    west.apply({ peers: [route('east', east.port)], imports: [importing('db', TARGET_PORT)], policies });
    await listens(west, 'store/db');
    return { east, west };
  }
  function listens(plane: TestPlane, object: string): Promise<unknown> {
    return waitFor(`${object} listens`, () =>
      plane.imports.get(object)?.listeners.some(({ state }) => state === 'Listening'),
    );
  }
  function closed(plane: TestPlane, reason: string): Promise<TestPlane['closings'][number]> {
    return waitFor(reason, () => plane.closings.find((record) => record.reason === reason));
  }

  it('a client that a pod is → served at the target port, by a policy for its namespace here and at its exporter', async () => {
    const { east, west } = await linked([allowClients('store', 'web')]);
    const port = await service('asserted');
    const version = east.apply({
      peers: [route('west')],
      exports: [exporting('db', port)],
      policies: [allowClients('shop', 'web')],
    });
    await waitFor('it is in force', () => east.acknowledged() === version);
    assert.equal(await outcomeOf(TARGET_PORT), 'asserted');
    assert.deepEqual(
      west.imports.get('store/db')?.listeners.map(({ port: of, listenPort, state }) => [of, listenPort, state]),
      [[5432, TARGET_PORT, 'Listening']],
    );
  });

  it('an address that no pod has → reset after the wait, CLIENT_UNKNOWN with the cause and a remedy', async () => {
    const { west } = await linked([allowClients('store', 'web')]);
    const startMs = performance.now();
    assert.equal(await outcomeOf(TARGET_PORT, '127.0.0.9'), 'ECONNRESET');
    assert.ok(performance.now() - startMs >= CLIENT_WAIT_MS * 0.9);
    const { message } = await closed(west, 'CLIENT_UNKNOWN');
    assert.match(message, /no live pod has its address.* Fix: /);
  });

  it('an address that no pod has, where a policy allows whoever it is → served', async () => {
    await linked(allowAll('store'));
    assert.equal(await outcomeOf(TARGET_PORT, '127.0.0.9'), 'db');
  });

  it('a pod that the watch tells of a moment later → served', async () => {
    const { west } = await linked([allowClients('store', 'web')]);
    const outcome = outcomeOf(TARGET_PORT, '127.0.0.3');
    setTimeout(() => west.post({ kind: 'clients', full: false, set: [['127.0.0.3', web]], remove: [] }), 100);
    assert.equal(await outcome, 'db');
  });

  const causes = ['several-pods', 'host-network', 'node-address', 'api-server', 'gateway-address'] as const;
  for (const cause of causes) {
    it(`${cause} → not identified, refused at once`, async () => {
      const { west } = await linked([allowClients('store', 'web')]);
      tell(west, [POD, { unidentified: cause }]);
      const startMs = performance.now();
      assert.equal(await outcomeOf(TARGET_PORT), 'ECONNRESET');
      assert.ok(performance.now() - startMs < CLIENT_WAIT_MS);
      await closed(west, 'CLIENT_UNKNOWN');
    });
  }

  it('the pod of an open connection is another one now → reset within 2 s; that of another connection → untouched', async () => {
    const { west } = await linked([allowClients('store', 'web')]);
    tell(west, [POD, web], ['127.0.0.3', web]);
    const [theirs, mine] = [open(TARGET_PORT), open(TARGET_PORT, '127.0.0.3')];
    assert.deepEqual(await Promise.all([theirs.first, mine.first]), ['db', 'db']);
    const startMs = performance.now();
    west.post({ kind: 'clients', full: false, set: [[POD, dev]], remove: [] });
    assert.equal(await theirs.ended, 'ECONNRESET');
    assert.ok(performance.now() - startMs < 2_000);
    await closed(west, 'POLICY_CHANGED');
    assert.equal(west.closings.length, 1);
    west.post({ kind: 'clients', full: false, set: [], remove: ['127.0.0.3'] });
    assert.equal(await mine.ended, 'ECONNRESET');
    await closed(west, 'CLIENT_UNKNOWN');
    mine.socket.destroy();
  });

  it('a change of the client that its exporter does not like → reset within 2 s', async () => {
    const { east } = await linked(allowAll('store'));
    const [port, west] = [await service('asked'), opened.at(1) as TestPlane];
    const version = east.apply({
      peers: [route('west')],
      exports: [exporting('db', port)],
      policies: [allowClients('shop', 'web')],
    });
    await waitFor('it is in force', () => east.acknowledged() === version);
    const connection = open(TARGET_PORT);
    assert.equal(await connection.first, 'asked');
    const startMs = performance.now();
    west.post({ kind: 'clients', full: false, set: [[POD, dev]], remove: [] });
    assert.equal(await connection.ended, 'ECONNRESET');
    assert.ok(performance.now() - startMs < 2_000);
  });

  it('a target port that goes from one import to another under load → never a byte of the wrong one', async () => {
    const [east, west] = [await start('east'), await start('west', CLUSTER)];
    const [db, cache] = [await service('db'), await service('cache')];
    east.apply({
      peers: [route('west')],
      exports: [exporting('db', db), exporting('cache', cache)],
      policies: allowAll('shop'),
    });
    tell(west, [POD, web]);
    const apply = (name: string): number =>
      west.apply({
        peers: [route('east', east.port)],
        imports: [importing(name, TARGET_PORT)],
        policies: allowAll('store'),
      });
    apply('db');
    await listens(west, 'store/db');
    for (let round = 0; round < 6; round++) {
      const [before, after] = round % 2 === 0 ? ['db', 'cache'] : ['cache', 'db'];
      const early = Array.from({ length: 10 }, () => outcomeOf(TARGET_PORT));
      const version = apply(after ?? '');
      for (const outcome of await Promise.all(early)) {
        assert.ok(outcome === before || outcome === after || outcome.startsWith('ECONN'), outcome);
      }
      await waitFor('it is in force', () => west.acknowledged() === version);
      await listens(west, `store/${after}`);
      assert.equal(await outcomeOf(TARGET_PORT), after);
      assert.equal(west.imports.get(`store/${after}`)?.listeners[0]?.listenPort, TARGET_PORT);
    }
    for (const { object, message, opened: isOpened } of west.closings) {
      if (isOpened) assert.ok(message.startsWith('east/shop') || object !== '', message);
    }
  });

  it('a target port that is taken → failed, no other port; free again → it listens', async function () {
    this.timeout(LISTEN_RETRY_MS + 15_000);
    const squatter = createServer().listen(TARGET_PORT, '127.0.0.1');
    await once(squatter, 'listening');
    const [east, west] = [await start('east'), await start('west', CLUSTER)];
    east.apply({ peers: [route('west')], exports: [exporting('db', await service('db'))], policies: allowAll('shop') });
    west.apply({ peers: [route('east', east.port)], imports: [importing('db', TARGET_PORT)] });
    const failed = await waitFor('it fails', () =>
      west.imports.get('store/db')?.listeners.find(({ state }) => state === 'Failed'),
    );
    assert.equal(failed.listenPort, TARGET_PORT);
    assert.match(failed.message ?? '', /taken by another listener/);
    squatter.close();
    await listens(west, 'store/db');
  });

  it('no source that can be used → the target port refuses', async () => {
    const west = await start('west', CLUSTER);
    const version = west.apply({ imports: [importing('db', TARGET_PORT)], policies: allowAll('store') });
    await waitFor('it is in force', () => west.acknowledged() === version);
    assert.equal(await outcomeOf(TARGET_PORT), 'ECONNREFUSED');
  });

  it('affinity → each client stays with its endpoint, by whichever replica it comes; clients are spread', async () => {
    const east = await start('east');
    const ports = [await service('one'), await service('two'), await service('three')];
    east.apply({
      peers: [route('west')],
      exports: [{ ...exporting('db', ...ports), affinity: 'ClientIP' }],
      policies: allowAll('shop'),
    });
    const clients = Array.from({ length: 24 }, (_, index) => `127.0.1.${index + 1}`);
    const hosts = ['127.0.0.11', '127.0.0.12'];
    for (const host of hosts) {
      const plane = await start('west', { ...CLUSTER, listen: [host] });
      tell(plane, ...clients.map((client) => [client, web] as const));
      plane.apply({
        peers: [route('east', east.port)],
        imports: [{ ...importing('db', TARGET_PORT), affinityTimeoutSeconds: 60 }],
        policies: allowAll('store'),
      });
      await listens(plane, 'store/db');
    }
    const endpoints = new Set<string>();
    for (const client of clients) {
      const seen = new Set<string>();
      for (let round = 0; round < 6; round++) seen.add(await outcomeOf(TARGET_PORT, client, hosts[round % 2]));
      assert.equal(seen.size, 1, [...seen].join());
      seen.forEach((endpoint) => endpoints.add(endpoint));
    }
    assert.equal(endpoints.size, 3);
  });

  describe('replicas', () => {
    /** Two replicas of east behind one address, and west that dials it. */
    async function replicated() {
      const [one, two, port] = [await start('east', CLUSTER), await start('east', CLUSTER), await service('db')];
      // East's pods here are on a loopback address, which a cluster never dials: west serves itself what east would.
      for (const plane of [one, two]) plane.apply({ peers: [route('west')] });
      const address = await balancer(one, two);
      const west = await start('west');
      west.apply({ peers: [route('east', address.port)], exports: [exporting('db', port)] });
      return { one, two, address, west };
    }

    it('two instances behind one address → a session with each; the same instance again → not kept', async () => {
      const { one, two, west, address } = await replicated();
      await waitFor('both have one', () =>
        [one, two].every(({ peers }) => peers.get('west')?.sessions === 1 && peers.get('west')?.version !== undefined),
      );
      await waitFor('west has both', () => west.peers.get('east')?.sessions === 2);
      address.setBackends([two]);
      await one.close();
      await waitFor('one is lost', () => west.peers.get('east')?.sessions === 1);
      assert.notEqual(west.peers.get('east')?.version, undefined);
    });

    it('a peer without replicas → one session to each address', async () => {
      const [east, west] = [await start('east'), await start('west')];
      const second = await balancer(east);
      east.apply({ peers: [route('west')] });
      west.apply({ peers: [route('east', east.port, second.port)] });
      await waitFor('both are there', () => west.peers.get('east')?.sessions === 2);
      assert.equal(east.peers.get('west')?.sessions, 2);
    });

    /** Short connections, one after the other on each of some lanes, until `stop`; what did not go well is collected. */
    function startLoad(port: number, lanes: number): { stop(): Promise<{ count: number; failures: string[] }> } {
      let isStopped = false;
      let count = 0;
      const failures: string[] = [];
      const run = async (): Promise<void> => {
        while (!isStopped) {
          count++;
          const outcome = await outcomeOf(port);
          if (outcome !== 'db') failures.push(outcome);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      const all = Promise.all(Array.from({ length: lanes }, run));
      return {
        async stop() {
          isStopped = true;
          await all;
          return { count, failures };
        },
      };
    }
    const passed = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

    it('a rolling update of importers, endpoints changed a while after the word → nothing refused, nothing cut', async () => {
      const east = await start('east');
      east.apply({
        peers: [route('west')],
        exports: [exporting('db', await service('db'))],
        policies: allowAll('shop'),
      });
      const replica = async (host: string): Promise<{ plane: TestPlane } & Backend> => {
        const plane = await start('west', { ...CLUSTER, listen: [host] });
        // Behind a balancer every client has its address.
        tell(plane, ['127.0.0.1', web]);
        plane.apply({
          peers: [route('east', east.port)],
          imports: [importing('db', TARGET_PORT)],
          policies: allowAll('store'),
        });
        await listens(plane, 'store/db');
        return { plane, host, port: TARGET_PORT };
      };
      let replicas = [await replica('127.0.0.11'), await replica('127.0.0.12')];
      const virtual = await balancer(...replicas);
      const load = startLoad(virtual.port, 8);
      const long = Array.from({ length: 20 }, () => open(virtual.port));
      await Promise.all(long.map(({ first }) => first));
      for (const host of ['127.0.0.13', '127.0.0.14']) {
        const [old, other] = replicas as [(typeof replicas)[number], (typeof replicas)[number]];
        const next = await replica(host);
        replicas = [other, next];
        old.plane.post({ kind: 'drain', deadlineMs: 10_000, quietMs: 600 });
        await passed(300);
        virtual.setBackends(replicas);
      }
      await passed(700);
      const { count, failures } = await load.stop();
      assert.ok(count > 100, String(count));
      assert.deepEqual(failures, []);
      for (const { socket } of long) {
        const echoed = once(socket, 'data');
        socket.write('still here');
        assert.equal(String((await echoed)[0]), 'still here');
        socket.end();
      }
    });

    it('the only session is cut → who connects meanwhile is served over the next one; refused once there can be none', async () => {
      const [east, port] = [await start('east'), await service('db')];
      east.apply({ peers: [route('west')], exports: [exporting('db', port)], policies: allowAll('shop') });
      const way = await balancer(east);
      const west = await start('west', CLUSTER);
      tell(west, [POD, web]);
      west.apply({
        peers: [route('east', way.port)],
        imports: [importing('db', TARGET_PORT)],
        policies: allowAll('store'),
      });
      await listens(west, 'store/db');
      way.cut();
      await waitFor('the session is lost', () => west.peers.get('east')?.sessions === 0);
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcomeOf(TARGET_PORT)));
      // What it says and the echo may come as one piece.
      assert.ok(
        outcomes.every((outcome) => /^dbx?$/.test(outcome)),
        outcomes.join(),
      );
      way.setBackends([]);
      way.cut();
      await waitFor('it refuses', async () => (await outcomeOf(TARGET_PORT)) === 'ECONNREFUSED');
    });

    it('the deadline cuts what is open → who calls again meanwhile is served, until it is quiet', async () => {
      const { one, west } = await twoExporters();
      await one.close();
      const { socket, first } = open(TARGET_PORT);
      await first;
      const cut = once(socket, 'error');
      west.post({ kind: 'drain', deadlineMs: 100, quietMs: 300 });
      assert.equal(((await cut)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
      assert.equal(west.drained(), false);
      assert.equal(await outcomeOf(TARGET_PORT), 'db');
      await waitFor('the drain is over', () => west.drained());
      assert.equal(await outcomeOf(TARGET_PORT), 'ECONNREFUSED');
    });

    /** Two replicas of east, each at an address of its own, and west that has a session with each. */
    async function twoExporters() {
      const [one, two, port] = [await start('east'), await start('east'), await service('db')];
      for (const plane of [one, two]) {
        plane.apply({ peers: [route('west')], exports: [exporting('db', port)], policies: allowAll('shop') });
      }
      const west = await start('west', CLUSTER);
      tell(west, [POD, web]);
      west.apply({
        peers: [route('east', one.port, two.port)],
        imports: [importing('db', TARGET_PORT)],
        policies: allowAll('store'),
      });
      await listens(west, 'store/db');
      await waitFor('there are two sessions', () => west.peers.get('east')?.sessions === 2);
      return { one, two, west };
    }

    it('an exporting replica drains → no new connection fails, the open ones go on to the deadline, then DRAINED', async () => {
      const { one, two, west } = await twoExporters();
      const long = Array.from({ length: 10 }, () => open(TARGET_PORT));
      await Promise.all(long.map(({ first }) => first));
      const carrying = one.opened() > 0 ? one : two;
      const load = startLoad(TARGET_PORT, 4);
      carrying.post({ kind: 'drain', deadlineMs: 1_500, quietMs: 300 });
      await passed(800);
      assert.deepEqual((await load.stop()).failures, []);
      assert.equal(carrying.drained(), false);
      assert.notEqual(west.peers.get('east')?.version, undefined);
      await waitFor('the drain is over', () => carrying.drained());
      const reasons = west.closings.filter(({ opened: isOpened, reason }) => isOpened && reason !== 'DONE');
      assert.ok(
        reasons.every(({ reason }) => reason === 'DRAINED' || reason === 'ABORTED'),
        JSON.stringify(reasons),
      );
      long.forEach(({ socket }) => socket.destroy());
    });

    it('an exporting replica dies → its connections are reset, the import stays, new ones pass', async () => {
      const { one, west } = await twoExporters();
      const load = startLoad(TARGET_PORT, 2);
      await one.close();
      await waitFor('its session is gone', () => west.peers.get('east')?.sessions === 1);
      assert.equal(await outcomeOf(TARGET_PORT), 'db');
      const { failures } = await load.stop();
      assert.ok(
        failures.every((failure) => failure === 'ECONNRESET'),
        failures.join(' '),
      );
      assert.ok(west.imports.get('store/db')?.listeners.every(({ state }) => state === 'Listening'));
    });
  });
});
