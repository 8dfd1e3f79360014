/** A peer with a valid certificate, or nearly, that tries everything else: refused with a counted reason, others unaffected. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { IAccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { EXCHANGE_LINE_BYTES_MAX, HEAD_TIMEOUT_MS, SESSIONS_PER_PEER_MAX } from '#src/gateway/limits.ts';
import { REFUSAL_LINGER_MS, STREAMS_PER_SECOND_MAX } from '#src/gateway/limits.ts';
import { encodeConnect, encodeExchange, type ConnectRequest } from '#src/gateway/wire/connect.ts';
import { HEAD_BYTES_MAX } from '#src/gateway/wire/limits.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { dataFrame, dialAs, greetAs, helloLine, readAll, SYN, type HostileSession } from '#test/support/hostile.ts';
import { makeOddIdentity } from '#test/support/odd-identity.ts';
import { allowAll, startTestPlane, type TestPlane } from '#test/support/planes.ts';
import { waitFor } from '#test/support/wait.ts';

const VIP = '127.99.2.1';
const LISTEN_PORT = 26_002;

/** East says yes to west alone. */
const forWest: IAccessPolicy = {
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'AccessPolicy',
  metadata: { namespace: 'shop', name: 'west' },
  spec: {
    action: 'allow',
    from: [{ workloadSelector: { matchLabels: { 'peer.clusterlink.net/name': 'west' } } }],
    to: [{ workloadSelector: {} }],
  },
};

let connections = 0;
function makeConnect(changes: Partial<ConnectRequest> = {}): ConnectRequest {
  const connection = (connections++).toString(16).padStart(32, '0');
  return {
    exporter: 'east',
    export: { namespace: 'shop', name: 'db' },
    port: { port: 5432, protocol: 'TCP' },
    source: null,
    client: connection,
    connection,
    via: ['mallory'],
    crit: [],
    ...changes,
  };
}

function whenClosed(stream: YamuxStream): Promise<unknown> {
  return new Promise((resolve) => stream.once('close', resolve));
}

describe('a hostile peer', function () {
  let fabric: TestFabric;
  let mallory: PeerIdentity;
  let east: TestPlane;
  let west: TestPlane;
  let service: Server;
  const served = new Set<Socket>();

  before(async () => {
    fabric = await makeTestFabric();
    mallory = await fabric.identity('mallory');
    service = createServer((socket) => {
      served.add(socket);
      socket.on('error', () => undefined).pipe(socket);
    });
    service.listen(0, '127.0.0.1');
    await once(service, 'listening');
    [east, west] = [await startTestPlane({ fabric, name: 'east' }), await startTestPlane({ fabric, name: 'west' })];
    const endpoints = [{ host: '127.0.0.1', port: (service.address() as AddressInfo).port }];
    const byName = { labels: {}, gateways: [], mayAssert: [] };
    east.apply({
      peers: [
        { ...byName, name: 'west' },
        { ...byName, name: 'mallory' },
      ],
      exports: [
        {
          ...{ namespace: 'shop', name: 'db', uid: 'u', labels: {} },
          ports: [{ name: '', protocol: 'TCP', port: 5432, endpoints }],
        },
      ],
      policies: [forWest],
    });
    west.apply({
      peers: [{ ...byName, name: 'east', gateways: [{ host: '127.0.0.1', port: east.port }] }],
      imports: [
        {
          key: { namespace: 'store', name: 'db' },
          ips: [VIP],
          ports: [{ name: '', protocol: 'TCP', port: 5432, lastListenPort: LISTEN_PORT }],
          sources: [{ peer: 'east', namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 }],
          labels: {},
          localFirst: true,
        },
      ],
      policies: allowAll('store'),
    });
    await waitFor('west listens', () => listener() !== undefined);
  });
  after(async () => {
    await west.close();
    await east.close();
    served.forEach((socket) => socket.destroy());
    service.close();
    await fabric.remove();
  });
  beforeEach(() => {
    east.refusals.length = 0;
    east.closings.length = 0;
  });
  afterEach('the good peer still passes bytes', async () => {
    const socket = connect({ port: listener()?.listenPort ?? 0, host: VIP, timeout: 2_000 });
    socket.write('good');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    assert.equal(chunk.toString(), 'good');
    socket.destroy();
  });

  function listener() {
    return west.imports.get('store/db')?.listeners.find(({ state }) => state === 'Listening');
  }
  function refused(start: string, count = 1): Promise<unknown> {
    const matching = (): number => east.refusals.filter((refusal) => refusal.startsWith(start)).length;
    return waitFor(`${count} times ${start}`, () => matching() === count && east.refusals.length === count);
  }
  function closedFor(reason: string): Promise<TestPlane['closings'][number]> {
    return waitFor(reason, () => east.closings.find((record) => record.reason === reason && record.peer === 'mallory'));
  }
  const gone = (stream: YamuxStream | Socket): Promise<unknown> =>
    waitFor('it is cut', () => stream.destroyed || stream.readableEnded);

  describe('before there is a session', () => {
    it('garbage instead of TLS → closed, MALFORMED', async () => {
      const socket = connect(east.port, '127.0.0.1').on('error', () => undefined);
      socket.end('let me in, I am a friend of the family\r\n');
      socket.resume();
      await refused('MALFORMED');
      await gone(socket);
    });

    const cases: { name: string; make(): Promise<PeerIdentity>; reason: string }[] = [
      {
        name: 'a second name in the certificate',
        make: () => makeOddIdentity(fabric, { sans: ['mallory', 'west'] }),
        reason: 'PEER_NAME_MISMATCH',
      },
      {
        name: 'an expired certificate',
        make: () => makeOddIdentity(fabric, { sans: ['mallory'], notAfter: new Date(Date.now() - 60_000) }),
        reason: 'CERT_EXPIRED',
      },
      {
        name: 'the CA of another fabric',
        async make() {
          const foreign = await makeTestFabric();
          const { certPem, keyPem } = await foreign.identity('mallory');
          await foreign.remove();
          return { ...mallory, certPem, keyPem };
        },
        reason: 'PEER_ROOT_MISMATCH',
      },
      { name: 'a name without a Peer object', make: () => fabric.identity('eve'), reason: 'PEER_UNKNOWN' },
    ];
    for (const { name, make, reason } of cases) {
      it(`${name} → closed, ${reason}`, async () => {
        const socket = await dialAs(await make(), east);
        await refused(reason);
        socket.resume();
        await gone(socket);
      });
    }

    it('more callers than sessions that say no hello → the next one is turned away at once, OVERLOADED', async () => {
      const sockets = [];
      for (let count = 0; count <= SESSIONS_PER_PEER_MAX; count++) sockets.push(await dialAs(mallory, east));
      await refused('OVERLOADED mallory');
      for (const socket of sockets) socket.destroy();
      await waitFor('they hung up', () => east.refusals.length === SESSIONS_PER_PEER_MAX + 1);
    });
  });

  describe('instead of a hello', () => {
    const cases: { name: string; bytes: Buffer }[] = [
      { name: 'bytes that are no frame', bytes: Buffer.from('what is a frame, after all?') },
      { name: 'a control line that is no JSON', bytes: dataFrame(1, 'hello\n', SYN) },
      { name: 'a control line that is no object', bytes: dataFrame(1, '"hello"\n', SYN) },
      { name: 'a control line without an end', bytes: dataFrame(1, ' '.repeat(17 * 1024), SYN) },
      { name: 'a hello that names another peer', bytes: dataFrame(1, helloLine('west'), SYN) },
      { name: 'a CONNECT', bytes: dataFrame(1, encodeConnect(makeConnect()).toString(), SYN) },
      {
        name: 'a hello with garbage behind it',
        bytes: Buffer.concat([dataFrame(1, helloLine('mallory'), SYN), Buffer.alloc(12, 0xff)]),
      },
    ];
    for (const { name, bytes } of cases) {
      it(`${name} → the session ends, MALFORMED, and none is left`, async () => {
        const socket = await dialAs(mallory, east);
        socket.write(bytes);
        socket.resume();
        await refused('MALFORMED mallory');
        await gone(socket);
        assert.equal(east.peers.get('mallory')?.version, undefined);
      });
    }
  });

  it('the end of a hello and garbage in one piece → the session ends, MALFORMED, and none is left', async () => {
    const socket = await dialAs(mallory, east);
    const hello = helloLine('mallory');
    socket.write(dataFrame(1, hello.slice(0, 5), SYN));
    // East has begun to read the line: the rest of it is digested in the turn in which the garbage is.
    await once(socket, 'data');
    socket.resume();
    socket.write(Buffer.concat([dataFrame(1, hello.slice(5)), Buffer.alloc(12, 0xff)]));
    await gone(socket);
    await refused('MALFORMED mallory');
    assert.equal(east.peers.get('mallory')?.version, undefined);
  });

  describe('in a session', () => {
    let session: HostileSession;
    beforeEach(async () => {
      session = await greetAs(mallory, east);
      await waitFor('east has it', () => east.peers.get('mallory')?.version === '6.6.6');
    });
    afterEach(async () => {
      await session[Symbol.asyncDispose]();
      await waitFor('east has lost it', () => east.peers.get('mallory')?.version === undefined);
    });
    const ask = (changes: Partial<ConnectRequest>): Promise<string> =>
      readAll(session.say(encodeConnect(makeConnect(changes))));

    const heads: { name: string; head: string }[] = [
      { name: 'a head that is none', head: 'HELLO\r\n\r\n' },
      { name: 'a request for a file', head: 'GET /etc/passwd HTTP/1.1\r\nHost: east:443\r\n\r\n' },
      { name: 'an export with a path in it', head: connectText().replace('shop/db', '../../etc/passwd') },
      {
        name: 'a field that must be understood',
        head: connectText().replace('\r\n\r\n', '\r\nmcs-crit: mcs-x\r\n\r\n'),
      },
      { name: 'a field twice', head: connectText().replace('\r\n\r\n', '\r\nmcs-port: 22/TCP\r\n\r\n') },
      { name: 'a head without an end', head: `CONNECT east:443 HTTP/1.1\r\nx: ${'x'.repeat(HEAD_BYTES_MAX)}` },
    ];
    function connectText(): string {
      return encodeConnect(makeConnect()).toString();
    }
    for (const { name, head } of heads) {
      it(`${name} → 400, MALFORMED`, async () => {
        assert.match(await readAll(session.say(head)), /^HTTP\/1\.1 400 Bad Request\r\nmcs-reason: malformed\r\n\r\n$/);
        await refused('MALFORMED mallory');
      });
    }

    it('for another exporter → 400, PEER_NAME_MISMATCH', async () => {
      assert.match(await ask({ exporter: 'west' }), /^HTTP\/1\.1 400 /);
      await closedFor('PEER_NAME_MISMATCH');
    });

    it('the exchange of another exporter → 400, PEER_NAME_MISMATCH', async () => {
      assert.match(await readAll(session.say(encodeExchange('west'))), /^HTTP\/1\.1 400 /);
      await refused('PEER_NAME_MISMATCH mallory');
    });

    it('by way of the exporter itself → 508, LOOP', async () => {
      assert.match(await ask({ via: ['east', 'mallory'] }), /^HTTP\/1\.1 508 /);
      await closedFor('LOOP');
    });

    it('one endpoint of an export that has none → 404, NOTHING_OFFERED', async () => {
      assert.match(await ask({ endpoint: 'db-0', crit: ['mcs-endpoint'] }), /^HTTP\/1\.1 404 /);
      await closedFor('NOTHING_OFFERED');
    });

    for (const probe of [undefined, 'decide', 'dial'] as const) {
      it(`an export that is denied and one that is not there, ${probe ?? 'no'} probe → the same answer to the byte`, async () => {
        const question = probe === undefined ? {} : { probe };
        const answers = [
          await ask(question),
          await ask({ ...question, export: { namespace: 'shop', name: 'nothing' } }),
          await ask({ ...question, port: { port: 1, protocol: 'TCP' } }),
        ].map((answer) => answer.replace(/[0-9a-f]{32}/, '<id>'));
        assert.deepEqual(new Set(answers), new Set([answers[0]]));
        assert.match(
          answers[0] ?? '',
          /^HTTP\/1\.1 404 Not Found\r\nmcs-connection: <id>\r\nmcs-reason: denied\r\n\r\n$/,
        );
        if (probe === undefined) {
          await closedFor('INGRESS_DENIED');
          await closedFor('NOTHING_OFFERED');
        } else await waitFor('they are counted', () => east.refusals.length === 3);
      });
    }

    it('asserted attributes that nobody granted → denied all the same', async () => {
      assert.match(await ask({ source: { namespace: 'shop', serviceAccount: 'admin' } }), /^HTTP\/1\.1 404 /);
    });

    it('a refused stream that is never ended → reset in time', async () => {
      const startMs = performance.now();
      const stream = session.say(encodeConnect(makeConnect()));
      stream.resume();
      await whenClosed(stream);
      assert.ok(performance.now() - startMs < REFUSAL_LINGER_MS + 2_000);
    });

    it('1,000 streams without a head → all reset in time, HANDSHAKE_TIMEOUT', async function () {
      this.timeout(HEAD_TIMEOUT_MS + 10_000);
      const streams = Array.from({ length: 1_000 }, () => session.say('CONNECT '));
      await Promise.all(streams.map(whenClosed));
      await refused('HANDSHAKE_TIMEOUT mallory', 1_000);
    });

    it('more streams in a second than it may open → the rest are reset, OVERLOADED, counted once', async () => {
      // Each is reset at once: there is always room for the next.
      for (let count = 0; count <= STREAMS_PER_SECOND_MAX + 100; count++) session.yamux.openStream().reset();
      await refused('OVERLOADED mallory');
    });

    it('a control line that breaks its schema → the session ends', async () => {
      session.control.write('{"closed":{"stream":-1,"reason":"boredom"}}\n');
      await waitFor('it is gone', () => session.yamux.closed);
    });

    it('a control stream that ends → the session ends', async () => {
      session.control.end();
      await waitFor('it is gone', () => session.yamux.closed);
    });

    for (const [name, line, reason] of [
      ['a line of the exchange that is no JSON', '{"op":\n', /not JSON/],
      ['a giant line of the exchange', 'x'.repeat(EXCHANGE_LINE_BYTES_MAX + 1), /longer than/],
    ] as const) {
      it(`${name} → that stream is reset, nothing reaches the exchange`, async () => {
        const heard: string[] = [];
        east.onExchange((message) => heard.push(message.kind === 'exchange-closed' ? message.reason : message.kind));
        const stream = session.say(encodeExchange('east'));
        stream.resume();
        await once(stream, 'data');
        stream.write(line);
        await waitFor('it is closed', () => heard.length === 2);
        assert.equal(heard[0], 'exchange-opened');
        assert.match(heard[1] ?? '', reason);
        await gone(stream);
        assert.equal(session.yamux.closed, false);
      });
    }
  });
});
