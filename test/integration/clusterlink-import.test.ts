/** Sources at ClusterLink peers, of both data planes: what they see on the wire, and what our clients never see of their bugs. */
import assert from 'node:assert/strict';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { loadIdentity } from '#src/fabric/files.ts';
import { renewPeerCertFiles } from '#src/fabric/renew.ts';
import { toSerial } from '#src/fabric/revoked-serials.ts';
import { fingerprintOf } from '#src/fabric/request.ts';
import { KEPT_CONNECTIONS_MAX, OPENING_PER_GATEWAY_MAX } from '#src/gateway/clusterlink/limits.ts';
import type { GatewaySnapshot, PeerRoute, RouteSource } from '#src/gateway/messages.ts';
import { makeFixture, type Fixture } from '#test/support/clusterlink/fixture.ts';
import type { FlavourName } from '#test/support/clusterlink/flavour.ts';
import type { ClusterLinkPeer } from '#test/support/clusterlink/peer.ts';
import { startRawGateway } from '#test/support/clusterlink/raw.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { measureLateness } from '#test/support/lateness.ts';
import { startLink } from '#test/support/link.ts';
import { allowAll, startTestPlane, type TestPlane, type TestPlaneOptions } from '#test/support/planes.ts';
import { waitFor } from '#test/support/wait.ts';

const VIP = '127.99.7.1';
const LISTEN_PORT = 26_007;
/** From the change to the end of an open connection (DESIGN §3.2). */
const CUT_WITHIN_MS = 2_000;
/** A peer that falls silent is out of use within 2 s (DESIGN §7), and is noticed by who looks every few milliseconds. */
const OUT_OF_USE_MS = 2_000;
const NOTICE_MS = 500;
const FLAVOURS: readonly FlavourName[] = ['go', 'envoy'];

interface Ended {
  readonly text: string;
  readonly bytes: Buffer;
  readonly reset: boolean;
}

describe('imports from ClusterLink peers', function () {
  this.timeout(20_000);
  let fabric: TestFabric;
  let fixture: Fixture;
  let east: TestPlane;
  before(async () => (fabric = await makeTestFabric()));
  after(() => fabric.remove());
  beforeEach(() => {
    fixture = makeFixture(fabric);
  });
  afterEach(() => fixture[Symbol.asyncDispose]());

  async function startEast(options: Partial<TestPlaneOptions> = {}): Promise<void> {
    east = await startTestPlane({ fabric, name: 'east', listen: 'no', ...options });
    fixture.onClose(() => east.close());
  }

  const routeTo = (name: string, ...ports: readonly number[]): PeerRoute => ({
    name,
    labels: {},
    gateways: ports.map((port) => ({ host: '127.0.0.1', port })),
    mayAssert: [],
  });
  const sourceAt = (peer: string): RouteSource => ({
    ...{ peer, namespace: 'shop', name: 'db' },
    ...{ ports: [5432], readyEndpoints: 1 },
  });
  const importOf = (...sources: readonly RouteSource[]): GatewaySnapshot['imports'] => [
    {
      key: { namespace: 'store', name: 'db' },
      ips: [VIP],
      ports: [{ name: '', protocol: 'TCP', port: 5432, lastListenPort: LISTEN_PORT }],
      sources,
      labels: {},
      localFirst: false,
      scheme: 'Static',
    },
  ];
  const listener = () => east.imports.get('store/db')?.listeners.find(({ listenPort }) => listenPort !== undefined);
  const usable = (): string[] =>
    (east.imports.get('store/db')?.sources ?? []).flatMap(({ peer, usable }) => (usable ? [peer] : []));

  /** East imports store/db from these peers in this order, and may use it. */
  async function importFrom(...peers: readonly PeerRoute[]): Promise<void> {
    const imports = importOf(...peers.map(({ name }) => sourceAt(name)));
    east.apply({ peers, imports, policies: allowAll('store') });
    const names = peers.map(({ name }) => name);
    await waitFor('they can be used', () => usable().join() === names.join() && listener() !== undefined);
  }

  async function importWest(west: ClusterLinkPeer): Promise<void> {
    await startEast();
    await importFrom(routeTo('west', ...west.gatewayPorts));
  }

  function dial(): { readonly socket: Socket; readonly ended: Promise<Ended>; bytes(): Buffer } {
    const socket = connect({ host: VIP, port: listener()?.listenPort ?? 0, allowHalfOpen: true });
    const pieces: Buffer[] = [];
    let reset = false;
    socket.on('error', () => (reset = true)).on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('end', () => socket.end());
    const bytes = (): Buffer => Buffer.concat(pieces);
    const ended = new Promise<Ended>((resolve) => {
      socket.once('close', () => resolve({ text: bytes().toString(), bytes: bytes(), reset }));
    });
    fixture.onClose(() => {
      socket.destroy();
      return ended;
    });
    return { socket, ended, bytes };
  }

  /** What an echo gives back, over one connection that the client then closes. */
  async function roundTrip(payload: string): Promise<string> {
    const client = dial();
    client.socket.write(payload);
    await waitFor('the echo', () => client.bytes().length >= payload.length || client.socket.destroyed);
    const text = client.bytes().toString();
    client.socket.resetAndDestroy();
    return text;
  }

  async function openedTunnel() {
    const client = dial();
    client.socket.write('open');
    await waitFor('the echo', () => client.bytes().toString() === 'open');
    return client;
  }

  /** All as before, but its certificate. */
  async function revocationOf(peer: string): Promise<Parameters<TestPlane['apply']>[0]> {
    const { caPem, certPem } = await fabric.identity(peer);
    const issuer = fingerprintOf(new X509Certificate(caPem).publicKey);
    const serials = [toSerial(new X509Certificate(certPem).serialNumber)];
    return {
      imports: importOf(sourceAt(peer)),
      policies: allowAll('store'),
      revoked: [{ issuer, list: 'l', serials }],
    };
  }

  /** An address behind which another program listens all of a sudden. */
  async function startForwarder(target: number) {
    const sockets = new Set<Socket>();
    let port = target;
    const server = createServer((near) => {
      const far = connect({ host: '127.0.0.1', port });
      for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined));
      near.on('close', () => far.destroy());
      far.on('close', () => near.destroy());
      near.pipe(far).pipe(near);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const cut = (): void => sockets.forEach((socket) => socket.destroy());
    fixture.onClose(async () => {
      cut();
      server.close();
      await once(server, 'close');
    });
    return {
      port: (server.address() as AddressInfo).port,
      leadTo(next: number) {
        port = next;
        cut();
      },
    };
  }

  const requests = (west: ClusterLinkPeer, method: string) => west.requests().filter((one) => one.method === method);

  for (const flavour of FLAVOURS) {
    describe(`whose data plane is ${flavour}`, () => {
      it('found by heartbeats → reachable, with its labels, and the form is told', async () => {
        const west = await fixture.startExporter(flavour, { labels: { region: 'eu' } });
        await importWest(west);
        const told = east.peers.get('west');
        assert.equal(told?.form, 'clusterlink');
        assert.deepEqual(told.labels, { region: 'eu' });
        assert.match(told.message, /1 of 1 gateways answer/);
        assert.equal(told.epochs, undefined);
      });

      it('a small payload → echoed; the wire carries no more than it must (§8 item 10)', async () => {
        const west = await fixture.startExporter(flavour);
        await importWest(west);
        assert.equal(await roundTrip('hello'), 'hello');
        const [authz] = requests(west, 'POST');
        assert.deepEqual(JSON.parse(authz?.body.toString() ?? ''), {
          ServiceName: 'db',
          ServiceNamespace: 'shop',
          SrcAttributes: {
            'peer.clusterlink.net/name': 'east',
            'client.clusterlink.net/namespace': 'default',
            'client.clusterlink.net/service-account': 'host',
          },
        });
        const [tunnel] = requests(west, 'CONNECT');
        const head = tunnel?.raw.toString().replace(/Bearer .*/, 'Bearer T') ?? '';
        assert.equal(head, 'CONNECT west:443 HTTP/1.1\r\nHost: west:443\r\nAuthorization: Bearer T\r\n\r\n');
        assert.equal(tunnel?.beside.length, 0);
        assert.equal(tunnel?.tls.servername, 'west');
        assert.equal(tunnel?.tls.protocol, 'TLSv1.3');
      });

      it('8 MB each way → whole, by its checksum (§8 item 39)', async () => {
        const west = await fixture.startExporter(flavour);
        await importWest(west);
        const payload = randomBytes(8 * 1024 * 1024);
        const client = dial();
        client.socket.write(payload);
        await waitFor('all came back', () => client.bytes().length === payload.length, 15_000);
        const sum = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
        assert.equal(sum(client.bytes()), sum(payload));
      });

      it('a service that speaks first → no byte is lost in any of 20 tunnels, also beside the 200', async () => {
        const west = await fixture.startExporter(flavour, {
          service: (socket) => void socket.write('220 ready\r\n'),
          coalesceEvery: 2,
        });
        await importWest(west);
        for (let count = 0; count < 20; count++) {
          const client = dial();
          await waitFor('the greeting', () => client.bytes().length === 11);
          client.socket.resetAndDestroy();
        }
      });

      it('a client that sends, ends, and waits → has the whole answer (§8 item 38)', async () => {
        const west = await fixture.startExporter(flavour, {
          service(socket) {
            // Answers what it was asked, late, without waiting for the end.
            socket.on('error', () => undefined);
            socket.once('data', (asked: Buffer) => setTimeout(() => socket.end(`you said ${asked.toString()}`), 400));
          },
        });
        await importWest(west);
        const client = dial();
        client.socket.end('hello');
        assert.deepEqual(await client.ended.then(({ text, reset }) => ({ text, reset })), {
          text: 'you said hello',
          reset: false,
        });
      });

      it('the peer ends both directions → what came is read, then a clean end', async () => {
        const west = await fixture.startExporter(flavour, {
          service: (socket) => void socket.end('x'.repeat(200_000)),
        });
        await importWest(west);
        const { text, reset } = await dial().ended;
        assert.deepEqual([text.length, reset], [200_000, false]);
        await waitFor('its record', () => east.closings.some(({ reason }) => reason === 'DONE'));
      });

      it('the peer ends both directions, and the client does not → closed here after a moment', async () => {
        const west = await fixture.startExporter(flavour, { service: (socket) => void socket.end('bye') });
        await importWest(west);
        const client = dial();
        client.socket.removeAllListeners('end');
        await waitFor('its record', () => east.closings.some(({ reason }) => reason === 'DONE'));
        assert.equal(client.bytes().toString(), 'bye');
        // Nobody is there any more: what is written now is answered by a reset.
        await waitFor('the reset', () => {
          if (client.socket.writable) client.socket.write('still here?');
          return client.socket.destroyed;
        });
      });

      it('denied → reset, with the reason; nothing of the client was sent', async () => {
        const west = await fixture.startExporter(flavour, { policies: [] });
        await importWest(west);
        assert.equal((await dial().ended).reset, true);
        const [record] = await waitFor('its record', () => (east.closings.length > 0 ? east.closings : undefined));
        assert.deepEqual([record?.reason, record?.peer, record?.opened], ['INGRESS_DENIED', 'west', false]);
        assert.equal(requests(west, 'CONNECT').length, 0);
      });

      it('no such export at the first source → the next one serves (§8 items 25 and 44)', async () => {
        const west = await fixture.startExporter(flavour);
        const south = await fixture.startExporter(flavour, { name: 'south' });
        west.setExports([]);
        await startEast();
        await importFrom(routeTo('west', west.gatewayPort), routeTo('south', south.gatewayPort));
        assert.equal(await roundTrip('hello'), 'hello');
        assert.equal(requests(west, 'POST').length, 1);
      });

      it('its service cannot be dialled behind the token → the next source serves, and no byte is lost (§8 item 44)', async () => {
        const west = await fixture.startExporter(flavour);
        const south = await fixture.startExporter(flavour, { name: 'south' });
        west.setExports([{ namespace: 'shop', name: 'db', target: { host: '127.0.0.1', port: 1 } }]);
        await startEast();
        await importFrom(routeTo('west', west.gatewayPort), routeTo('south', south.gatewayPort));
        assert.equal(await roundTrip('hello'), 'hello');
        assert.deepEqual(
          requests(west, 'CONNECT').map(({ status }) => status),
          [flavour === 'go' ? 500 : 503],
        );
      });
    });
  }

  it('200 clients at once → all are served, none behind another (§8 items 37 and 43)', async () => {
    const west = await fixture.startExporter('go');
    await importWest(west);
    const texts = await Promise.all(Array.from({ length: 200 }, (_, index) => roundTrip(`client ${index}`)));
    assert.deepEqual(
      texts,
      Array.from({ length: 200 }, (_, index) => `client ${index}`),
    );
  });

  it('many at once → their TLS sessions are those of a gateway that has proved itself; a revocation cuts them too', async () => {
    const west = await fixture.startExporter('go');
    await importWest(west);
    const [first] = west.requests();
    assert.equal(first?.tls.resumed, false);
    const clients = await Promise.all(Array.from({ length: 3 * KEPT_CONNECTIONS_MAX }, openedTunnel));
    const resumed = requests(west, 'CONNECT').filter(({ tls }) => tls.resumed);
    assert.ok(resumed.length >= clients.length - KEPT_CONNECTIONS_MAX, String(resumed.length));
    east.apply({ ...(await revocationOf('west')), peers: [routeTo('west', west.gatewayPort)] });
    const ends = await Promise.all(clients.map(({ ended }) => ended));
    assert.ok(ends.every(({ reset }) => reset));
    await waitFor(
      'their records',
      () => east.closings.filter(({ reason }) => reason === 'REVOKED').length === ends.length,
    );
  });

  it('one of two gateways is dead → passed over at once (§8 items 16 and 42)', async () => {
    const west = await fixture.startExporter('go', { gateways: 2 });
    const south = await fixture.startExporter('go', { name: 'south' });
    await startEast();
    south.closeGateway(0);
    await importFrom(routeTo('west', south.gatewayPort, west.gatewayPorts[1] ?? 0));
    assert.equal(await roundTrip('hello'), 'hello');
    assert.match(east.peers.get('west')?.message ?? '', /1 of 2 gateways/);
  });

  it('one of two gateways lets every question wait → those before it, and those behind them in its row, go to the other', async () => {
    let asked = 0;
    const mute = await startRawGateway(await fabric.identity('west'), async (end) => {
      for (;;) {
        const { head } = await end.head();
        if (head.startsWith('GET')) await end.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        else asked++;
      }
    });
    fixture.onClose(async () => mute[Symbol.asyncDispose]());
    const west = await fixture.startExporter('go');
    // Farther away: the mute one is asked first.
    west.setDecisionMs(20);
    await startEast();
    await importFrom(routeTo('west', mute.port, west.gatewayPort));
    await waitFor('both', () => /2 of 2 gateways/.test(east.peers.get('west')?.message ?? ''));
    // As many as it may be asked at once, and half as many behind them; all of them handshakes of this process, twice.
    const texts = await Promise.all(
      Array.from({ length: 1.5 * OPENING_PER_GATEWAY_MAX }, (_, index) => roundTrip(`client ${index}`)),
    );
    assert.ok(
      texts.every((text, index) => text === `client ${index}`),
      JSON.stringify(texts),
    );
    assert.ok(asked > 0);
  });

  it('its certificate is swapped while it runs → connections go on, new ones are served', async () => {
    const west = await fixture.startExporter('go');
    await importWest(west);
    const client = await openedTunnel();
    await renewPeerCertFiles({ path: fabric.path, fabric: 'test', peer: 'west', key: 'new' });
    const folder = join(fabric.path, 'test');
    const renewed = { cert: join(folder, 'west', 'cert.pem'), key: join(folder, 'west', 'key.pem') };
    west.swapCertificate(await loadIdentity({ ca: join(folder, 'cert.pem'), ...renewed }));
    assert.equal(await roundTrip('hello'), 'hello');
    client.socket.write(' still');
    await waitFor('the old one', () => client.bytes().toString() === 'open still');
  });

  it('another peer answers there from now on → no connection of a client goes to it (§8 item 4)', async () => {
    const west = await fixture.startExporter('envoy');
    await importWest(west);
    await roundTrip('hello');
    const before = requests(west, 'CONNECT').length;
    west.swapCertificate(await fabric.identity('north'));
    await Promise.all(Array.from({ length: 8 }, () => dial().ended));
    const kept = requests(west, 'CONNECT').slice(before);
    // Those that were made while it still proved its name may be used.
    assert.ok(kept.length <= KEPT_CONNECTIONS_MAX, String(kept.length));
    await waitFor('out of use', () => east.peers.get('west')?.reason === 'PEER_NAME_MISMATCH');
  });

  it('falls silent → out of use within 2 s, and the other source serves; back → used at its first heartbeat', async () => {
    const west = await fixture.startExporter('go');
    const south = await fixture.startExporter('go', { name: 'south' });
    const wire = await startLink({ host: '127.0.0.1', port: west.gatewayPort });
    fixture.onClose(() => wire.close());
    await startEast();
    await importFrom(routeTo('west', wire.port), routeTo('south', south.gatewayPort));
    using lateness = measureLateness();
    wire.set('stalled');
    const startMs = performance.now();
    await waitFor('out of use', () => usable().join() === 'south');
    const outMs = performance.now() - startMs - lateness.lateMs;
    assert.ok(outMs < OUT_OF_USE_MS + NOTICE_MS, `${outMs} ms`);
    assert.equal(await roundTrip('hello'), 'hello');
    wire.set('open');
    await waitFor('back', () => usable().join() === 'west,south');
  });

  it('its certificate is revoked while a connection is open → link and connection end within 2 s', async () => {
    const west = await fixture.startExporter('go');
    await importWest(west);
    const client = await openedTunnel();
    const revocation = await revocationOf('west');
    const startMs = performance.now();
    east.apply({ ...revocation, peers: [routeTo('west', west.gatewayPort)] });
    assert.equal((await client.ended).reset, true);
    assert.ok(performance.now() - startMs < CUT_WITHIN_MS);
    await waitFor('its record', () => east.closings.at(-1)?.reason === 'REVOKED');
    await waitFor('the peer', () => east.peers.get('west')?.reason === 'REVOKED');
  });

  it('setting clusterlinkCompat: off → PROTOCOL_MISMATCH, and nothing is asked', async () => {
    const west = await fixture.startExporter('go');
    await startEast({ compat: 'off' });
    east.apply({ peers: [routeTo('west', west.gatewayPort)] });
    await waitFor('it is told', () => east.peers.get('west')?.reason === 'PROTOCOL_MISMATCH');
    assert.deepEqual(west.requests(), []);
  });

  it('upgraded to a gateway of ours → sessions from then on, without a word of anybody', async () => {
    const west = await fixture.startExporter('go');
    const wire = await startForwarder(west.gatewayPort);
    await startEast();
    await importFrom(routeTo('west', wire.port));
    const ours = await startTestPlane({ fabric, name: 'west' });
    fixture.onClose(() => ours.close());
    ours.apply({ peers: [routeTo('east')] });
    wire.leadTo(ours.port);
    await waitFor('a session', () => {
      const told = east.peers.get('west');
      return told?.version === '0.0.0-test' && told.form === undefined;
    });
  });

  it('labels that change while it stays reachable → followed (§8 item 32); no header at all → reachable (§8 item 33)', async () => {
    const west = await fabric.identity('west');
    let header = 'ClusterLinkPeerLabels: eyJhIjoiYiJ9\r\n';
    const raw = await startRawGateway(west, async (end) => {
      for (;;) {
        await end.head();
        await end.send(`HTTP/1.1 200 OK\r\n${header}Content-Length: 0\r\n\r\n`);
      }
    });
    fixture.onClose(async () => raw[Symbol.asyncDispose]());
    await startEast();
    await importFrom(routeTo('west', raw.port));
    assert.deepEqual(east.peers.get('west')?.labels, { a: 'b' });
    header = '';
    await waitFor('the change', () => Object.keys(east.peers.get('west')?.labels ?? { a: '' }).length === 0);
    assert.deepEqual(usable(), ['west']);
  });

  it('the token is refused → reset with the reason, and nothing of the client was sent', async () => {
    const seen: string[] = [];
    const raw = await startRawGateway(await fabric.identity('west'), async (end) => {
      for (;;) {
        const { head } = await end.head();
        seen.push(head.split(' ')[0] ?? '');
        if (head.startsWith('CONNECT')) await end.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
        else await end.send('HTTP/1.1 200 OK\r\nX-Access-Token: t\r\nContent-Length: 0\r\n\r\n');
        if (head.startsWith('CONNECT')) seen.push(`then ${(await end.rest()).length}`);
      }
    });
    fixture.onClose(async () => raw[Symbol.asyncDispose]());
    await startEast();
    await importFrom(routeTo('west', raw.port));
    const client = dial();
    client.socket.write('early bytes');
    assert.equal((await client.ended).reset, true);
    await waitFor('its end', () => seen.includes('then 0'));
    assert.equal(east.closings.at(-1)?.reason, 'INGRESS_DENIED');
  });

  for (const [what, change, reason] of [
    [
      'policy is turned to deny',
      (west: PeerRoute) => ({ peers: [west], imports: importOf(sourceAt('west')) }),
      'POLICY_CHANGED',
    ],
    [
      'its Peer object is deleted',
      () => ({ imports: importOf(sourceAt('west')), policies: allowAll('store') }),
      'PEER_UNKNOWN',
    ],
    ['the import is deleted', (west: PeerRoute) => ({ peers: [west], policies: allowAll('store') }), 'IMPORT_DELETED'],
  ] as const) {
    it(`${what} while a connection is open → reset within 2 s (§8 item 44)`, async () => {
      const west = await fixture.startExporter('go');
      await importWest(west);
      const client = await openedTunnel();
      const startMs = performance.now();
      east.apply(change(routeTo('west', west.gatewayPort)));
      assert.equal((await client.ended).reset, true);
      assert.ok(performance.now() - startMs < CUT_WITHIN_MS);
      assert.equal(east.closings.at(-1)?.reason, reason);
      await waitFor('the far end is free', () => west.openTunnels() === 0);
    });
  }
});
