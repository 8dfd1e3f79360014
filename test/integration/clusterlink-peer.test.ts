/** The emulated ClusterLink peer as exporter, held against the facts: `§` is a section of the reference on ClusterLink. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { makePolicy } from '#test/support/clusterlink/decision-rows.ts';
import {
  ask,
  authzOf,
  connectOf,
  echo,
  HEARTBEAT,
  makeFixture,
  WANTED,
  type Fixture,
} from '#test/support/clusterlink/fixture.ts';
import type { FlavourName } from '#test/support/clusterlink/flavour.ts';
import type { ClusterLinkPeer } from '#test/support/clusterlink/peer.ts';
import { dialRaw } from '#test/support/clusterlink/raw.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { makeOddIdentity } from '#test/support/odd-identity.ts';
import { waitFor } from '#test/support/wait.ts';

const FLAVOURS: readonly FlavourName[] = ['go', 'envoy'];
const DATE = /[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/;

describe('startClusterLinkPeer, as exporter', () => {
  let fabric: TestFabric;
  let fixture: Fixture;
  before(async () => {
    fabric = await makeTestFabric();
    fixture = makeFixture(fabric);
  });
  afterEach(() => fixture[Symbol.asyncDispose]());
  after(() => fabric.remove());

  for (const flavour of FLAVOURS) {
    describe(`§3.1 TLS, ${flavour}`, () => {
      it('§3.1 ALPN is offered → none is selected; SNI and the first DNS name are noted', async () => {
        const west = await fixture.startExporter(flavour);
        const identity = await makeOddIdentity(fabric, { sans: ['east', 'alias'] });
        const tls = { ALPNProtocols: ['h2', 'http/1.1'], maxVersion: 'TLSv1.2' } as const;
        const end = await fixture.dial(west, { identity, tls });
        assert.equal((await ask(end, HEARTBEAT)).status, 200);
        assert.equal(end.socket.alpnProtocol, false);
        const [asked] = west.requests();
        assert.deepEqual(asked?.tls, { protocol: 'TLSv1.2', servername: 'west', alpn: false, resumed: false });
        assert.equal(asked?.caller, 'east');
      });

      it('§3.1 no certificate, or one of another fabric → closed without an answer', async () => {
        const west = await fixture.startExporter(flavour);
        const other = await makeTestFabric();
        fixture.onClose(() => other.remove());
        const { caPem } = await fabric.identity('east');
        const { certPem: cert, keyPem: key } = await other.identity('east');
        for (const tls of [{}, { cert, key }]) {
          const answered = dialRaw({ port: west.gatewayPort, peer: 'west', caPem, tls }).then(async (end) => {
            await end.send(HEARTBEAT).catch(() => undefined);
            return (await end.rest()).length;
          });
          assert.equal(await answered.catch(() => 0), 0);
        }
        assert.deepEqual(west.requests(), []);
      });

      it(`§3.1, §3.8 a certificate without a DNS name → ${flavour === 'go' ? 400 : 200}`, async () => {
        const west = await fixture.startExporter(flavour);
        const nameless = await makeOddIdentity(fabric, { sans: [] });
        const end = await fixture.dial(west, { identity: nameless });
        assert.equal((await ask(end, HEARTBEAT)).status, flavour === 'go' ? 400 : 200);
      });

      it('§3.1 a client without ALPN or SNI → served, identity from the certificate alone', async () => {
        const west = await fixture.startExporter(flavour);
        const end = await fixture.dial(west, { tls: { servername: '', checkServerIdentity: () => undefined } });
        assert.equal((await ask(end, HEARTBEAT)).status, 200);
        assert.equal(west.requests()[0]?.tls.servername, undefined);
      });
    });

    describe(`§3.2 heartbeat, ${flavour}`, () => {
      it('§3.2 GET /healthz → the exact head, labels in base64, no body; the connection goes on', async () => {
        const west = await fixture.startExporter(flavour, { labels: { a: 'b' } });
        const end = await fixture.dial(west);
        for (let round = 0; round < 2; round++) {
          const { head } = await ask(end, HEARTBEAT);
          const expected =
            flavour === 'go'
              ? 'HTTP/1.1 200 OK\r\nClusterlinkpeerlabels: eyJhIjoiYiJ9\r\nDate: D\r\nContent-Length: 0\r\n\r\n'
              : 'HTTP/1.1 200 OK\r\nclusterlinkpeerlabels: eyJhIjoiYiJ9\r\ndate: D\r\nserver: envoy\r\ncontent-length: 0\r\n\r\n';
          assert.equal(head.replace(DATE, 'D'), expected);
        }
        const asked = west.requests().map(({ raw, connection, status }) => [String(raw), connection, status]);
        assert.deepEqual(asked, [
          [HEARTBEAT, 1, 200],
          [HEARTBEAT, 1, 200],
        ]);
      });

      it('§3.2 no labels → the JSON null', async () => {
        const west = await fixture.startExporter(flavour);
        assert.match((await ask(await fixture.dial(west), HEARTBEAT)).head, /clusterlinkpeerlabels: bnVsbA==\r\n/i);
      });

      it(`§3.2 a query behind the path → ${flavour === 'go' ? 'tolerated' : '400'}`, async () => {
        const west = await fixture.startExporter(flavour);
        const request = HEARTBEAT.replace('/healthz', '/healthz?x=1');
        assert.equal((await ask(await fixture.dial(west), request)).status, flavour === 'go' ? 200 : 400);
      });
    });

    describe(`§3.4 authz, ${flavour}`, () => {
      it('§3.4 names in any case, unknown members, bytes behind the value → a token', async () => {
        const west = await fixture.startExporter(flavour);
        const body =
          '{"servicename":"db","SERVICENAMESPACE":"shop","x":{"}":"{"},"SrcAttributes":{"a":"b"}} trailing {';
        const { status, head, token } = await ask(await fixture.dial(west), authzOf(body));
        assert.equal(status, 200);
        assert.match(head, flavour === 'go' ? /\r\nX-Access-Token: / : /\r\nx-access-token: /);
        assert.deepEqual(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()), {
          alg: 'HS256',
          typ: 'JWT',
        });
        assert.equal(String(west.requests()[0]?.body), body);
      });

      it('§3.4 65536 bytes of body → read; one more → 413 behind Envoy, read by Go', async () => {
        const west = await fixture.startExporter(flavour);
        const value = JSON.stringify(WANTED);
        const fits = await ask(await fixture.dial(west), authzOf(value.padEnd(65_536)));
        const more = await ask(await fixture.dial(west), authzOf(value.padEnd(65_537)));
        assert.deepEqual([fits.status, more.status], [200, flavour === 'go' ? 200 : 413]);
      });

      it('§3.4 a body in chunks → read; null among the values → an empty text', async () => {
        const west = await fixture.startExporter(flavour);
        const text = JSON.stringify({ ...WANTED, SrcAttributes: { a: null } });
        const chunks = [text.slice(0, 20), text.slice(20)].map(
          (piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`,
        );
        const head = 'POST /authz HTTP/1.1\r\nHost: h:1\r\nTransfer-Encoding: chunked\r\n\r\n';
        const end = await fixture.dial(west);
        await end.send(head + (chunks[0] ?? ''));
        assert.equal((await ask(end, `${chunks[1]}0\r\n\r\n`)).status, 200);
        assert.equal(String(west.requests()[0]?.body), text);
        assert.equal((await ask(end, HEARTBEAT)).status, 200);
      });

      it('§3.8, §8.1 (1) a peer that claims another name → believed', async () => {
        const policies = [
          makePolicy('allow', undefined),
          makePolicy('deny', undefined, { from: [{ matchLabels: { 'peer.clusterlink.net/name': 'east' } }] }),
        ];
        const west = await fixture.startExporter(flavour, { policies });
        const statuses = ['east', 'north'].map(async (name) => {
          const body = { ...WANTED, SrcAttributes: { 'peer.clusterlink.net/name': name } };
          return (await ask(await fixture.dial(west), authzOf(body))).status;
        });
        assert.deepEqual(await Promise.all(statuses), [403, 200]);
      });
    });

    describe(`§3.5 token, ${flavour}`, () => {
      it('§3.5 whole seconds, no leeway, any bearer, any number of times → accepted until exp', async () => {
        let nowMs = 100_900;
        const west = await fixture.startExporter(flavour, { nowMs: () => nowMs });
        const token = await fixture.takeToken(west);
        const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
        assert.deepEqual(claims, { exp: 105, export_name: 'db', export_namespace: 'shop' });
        const statusAt = async (atMs: number): Promise<number> => {
          nowMs = atMs;
          const thief = await fixture.dial(west, { identity: await fabric.identity('north') });
          return (await ask(thief, connectOf(`Bearer ${token}`))).status;
        };
        assert.deepEqual([await statusAt(100_900), await statusAt(104_999), await statusAt(105_000)], [200, 200, 403]);
      });

      it('§3.5, §3.7 a token of one gateway → taken by another of the same peer', async () => {
        const west = await fixture.startExporter(flavour, { gateways: 2 });
        const token = await fixture.takeToken(west);
        const second = await fixture.dial({ gatewayPort: west.gatewayPorts[1] ?? 0 });
        assert.equal((await ask(second, connectOf(`Bearer ${token}`))).status, 200);
        assert.deepEqual(
          west.requests().map(({ method, gateway }) => [method, gateway]),
          [
            ['POST', 0],
            ['CONNECT', 1],
          ],
        );
      });
    });
  }

  /** Table 3.8: what is asked, in what state, and the status of Envoy and of Go. */
  const authorized = async (west: ClusterLinkPeer): Promise<string> =>
    connectOf(`Bearer ${await fixture.takeToken(west)}`);
  const STATUSES: readonly {
    readonly name: string;
    readonly request: (west: ClusterLinkPeer) => string | Promise<string>;
    readonly envoy: number;
    readonly go: number;
  }[] = [
    { name: 'a heartbeat', request: () => HEARTBEAT, envoy: 200, go: 200 },
    { name: 'allowed', request: () => authzOf(WANTED), envoy: 200, go: 200 },
    { name: 'no such export', request: () => authzOf({ ...WANTED, ServiceName: 'other' }), envoy: 404, go: 403 },
    {
      name: 'a policy denies',
      request: (west) => (west.setPolicies([]), authzOf(WANTED)),
      envoy: 403,
      go: 403,
    },
    {
      name: 'no attributes, and a policy asks for some',
      request(west) {
        const asks = { from: [{ matchLabels: { 'client.clusterlink.net/namespace': 'x' } }] };
        west.setPolicies([makePolicy('allow', undefined), makePolicy('deny', 'far', asks)]);
        return authzOf(WANTED);
      },
      envoy: 403,
      go: 403,
    },
    { name: 'no JSON', request: () => authzOf('{"ServiceName":'), envoy: 400, go: 403 },
    {
      name: 'a number as an attribute',
      request: () => authzOf({ ...WANTED, SrcAttributes: { a: 1 } }),
      envoy: 400,
      go: 403,
    },
    {
      name: 'a control plane that fails',
      request: (west) => (west.setControlPlane('failing'), authzOf(WANTED)),
      envoy: 500,
      go: 403,
    },
    {
      name: 'a control plane out of reach',
      request: (west) => (west.setControlPlane('away'), authzOf(WANTED)),
      envoy: 403,
      go: 500,
    },
    { name: 'another path', request: () => HEARTBEAT.replace('healthz', 'metrics'), envoy: 400, go: 403 },
    { name: 'another method', request: () => HEARTBEAT.replace('GET', 'PUT'), envoy: 400, go: 403 },
    { name: 'CONNECT without a token', request: () => connectOf(), envoy: 400, go: 403 },
    { name: 'CONNECT with bearer in lower case', request: () => connectOf('bearer x'), envoy: 400, go: 403 },
    { name: 'CONNECT with a foreign token', request: () => connectOf('Bearer a.b.c'), envoy: 403, go: 403 },
    {
      name: 'CONNECT to an export that is deleted after authz',
      async request(west) {
        const request = await authorized(west);
        west.setExports([]);
        return request;
      },
      envoy: 503,
      go: 500,
    },
    {
      name: 'CONNECT to a service that refuses',
      async request(west) {
        const request = await authorized(west);
        west.setExports([{ namespace: 'shop', name: 'db', target: { host: '127.0.0.1', port: 1 } }]);
        return request;
      },
      envoy: 503,
      go: 500,
    },
  ];
  describe('§3.8 statuses', () => {
    for (const flavour of FLAVOURS) {
      for (const { name, request, [flavour]: status } of STATUSES) {
        it(`§3.8 ${flavour}: ${name} → ${status}`, async () => {
          const west = await fixture.startExporter(flavour);
          const text = await request(west);
          assert.equal((await ask(await fixture.dial(west), text)).status, status);
          assert.equal(west.requests().at(-1)?.status, status);
        });
      }
    }

    /** As the real programs write them: [what is asked, Go's answer, Envoy's]; `open` or `closed` = what comes next. */
    const ANSWERS: readonly (readonly [name: string, request: string, go: RegExp, envoy: RegExp])[] = [
      [
        'a denied decision',
        authzOf({ ...WANTED, ServiceName: 'other' }),
        /^HTTP\/1\.1 403 Forbidden\r\nContent-Type: text\/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nDate: D\r\nContent-Length: \d+\r\n\r\nopen$/,
        /^HTTP\/1\.1 404 Not Found\r\ncontent-length: \d+\r\ncontent-type: text\/plain\r\ndate: D\r\nserver: envoy\r\n\r\nopen$/,
      ],
      [
        'a denied CONNECT',
        connectOf('Bearer a.b.c'),
        /^HTTP\/1\.1 403 [^]*open$/,
        /^HTTP\/1\.1 403 [^]*connection: close\r\n\r\nclosed$/,
      ],
      [
        'another path',
        HEARTBEAT.replace('healthz', 'x'),
        /^HTTP\/1\.1 403 [^]*open$/,
        /^HTTP\/1\.1 400 [^]*connection: close\r\n\r\nclosed$/,
      ],
      [
        'no request at all',
        'garbage\r\n\r\n',
        /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: text\/plain; charset=utf-8\r\nConnection: close\r\n\r\nclosed$/,
        /^HTTP\/1\.1 400 Bad Request\r\ncontent-length: 11\r\ncontent-type: text\/plain\r\ndate: D\r\nserver: envoy\r\nconnection: close\r\n\r\nclosed$/,
      ],
      ['no Host', HEARTBEAT.replace('Host: h:1\r\n', ''), /^HTTP\/1\.1 400 [^]*closed$/, /^HTTP\/1\.1 400 [^]*closed$/],
      ['HTTP/1.0', HEARTBEAT.replace('/1.1', '/1.0'), /^HTTP\/1\.\d 200 [^]*closed$/, /^HTTP\/1\.1 426 [^]*closed$/],
      [
        'the last request',
        HEARTBEAT.replace('Host', 'Connection: close\r\nHost'),
        /^HTTP\/1\.1 200 [^]*closed$/,
        /^HTTP\/1\.1 200 [^]*closed$/,
      ],
    ];
    for (const [name, request, go, envoy] of ANSWERS) {
      for (const [flavour, expected] of [['go', go] as const, ['envoy', envoy] as const]) {
        it(`§3.8 ${flavour}: ${name} → its head, and the connection ${expected.source.includes('open') ? 'goes on' : 'ends'}`, async () => {
          const end = await fixture.dial(await fixture.startExporter(flavour));
          const { head } = await ask(end, request);
          const next = await ask(end, HEARTBEAT).then(
            () => 'open',
            () => 'closed',
          );
          assert.match(head.replace(DATE, 'D') + next, expected);
        });
      }
    }

    it('§3.6 CONNECT whose target has no port → Go does not look, Envoy refuses it', async () => {
      for (const [flavour, status] of [['go', 200] as const, ['envoy', 400] as const]) {
        const west = await fixture.startExporter(flavour);
        const request = connectOf(`Bearer ${await fixture.takeToken(west)}`, 'west');
        assert.equal((await ask(await fixture.dial(west), request)).status, status);
      }
    });
  });

  /** Speaks first, then echoes. */
  function greet(socket: Socket): void {
    socket.write('220 hello\r\n');
    echo(socket);
  }

  describe('§3.6 the head of a tunnel', () => {
    it('§3.6 go → these bytes alone in their record, even before a service that speaks first', async () => {
      const west = await fixture.startExporter('go', { service: greet });
      const authorization = `Bearer ${await fixture.takeToken(west)}`;
      const end = await fixture.dial(west);
      await end.send(connectOf(authorization));
      assert.equal(String(await end.record()), 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n');
      assert.equal(String(await end.record()), '220 hello\r\n');
    });

    it('§3.6 (8) envoy → the greeting beside it, in one tunnel of so many', async () => {
      const west = await fixture.startExporter('envoy', { service: greet, coalesceEvery: 2 });
      const beside: string[] = [];
      for (let tunnel = 0; tunnel < 4; tunnel++) {
        const end = await fixture.dial(west);
        await end.send(connectOf(`Bearer ${await fixture.takeToken(west)}`));
        const read = await end.head();
        assert.equal(read.head.replace(DATE, 'D'), 'HTTP/1.1 200 OK\r\ndate: D\r\nserver: envoy\r\n\r\n');
        beside.push(String(read.beside));
        if (read.beside.length === 0) assert.equal(String(await end.record()), '220 hello\r\n');
      }
      assert.deepEqual(beside, ['', '220 hello\r\n', '', '220 hello\r\n']);
    });

    it('§3.6 (5) bytes in the record of the CONNECT → lost by Go, kept by Envoy', async () => {
      for (const flavour of FLAVOURS) {
        const west = await fixture.startExporter(flavour, { coalesceEvery: 1_000_000 });
        const end = await fixture.dial(west);
        await end.send(`${connectOf(`Bearer ${await fixture.takeToken(west)}`)}EARLY`);
        await end.head();
        await end.send('later');
        const kept = flavour === 'go' ? '' : 'EARLY';
        let received = '';
        while (received.length < kept.length + 5) received += String(await end.record());
        assert.equal(received, `${kept}later`);
        assert.equal(String(west.requests().at(-1)?.beside), 'EARLY');
      }
    });

    it('§3.6 (5) more beside the CONNECT than the 4 KiB of a Go reader → the rest comes through', async () => {
      const west = await fixture.startExporter('go');
      const head = connectOf(`Bearer ${await fixture.takeToken(west)}`);
      const end = await fixture.dial(west);
      await end.send(head + 'E'.repeat(6_000));
      await end.head();
      const kept = head.length + 6_000 - 4_096;
      let received = 0;
      while (received < kept) received += (await end.record())?.length ?? assert.fail('closed');
      assert.equal(received, kept);
    });

    it('§3.6 (5) bytes in the next record, before the 200 → Go loses the first one', async () => {
      const west = await fixture.startExporter('go');
      const authorization = `Bearer ${await fixture.takeToken(west)}`;
      west.setDecisionMs(50);
      const end = await fixture.dial(west);
      await end.send(connectOf(authorization));
      await end.send('EARLY');
      await end.head();
      assert.equal(String(await end.record()), 'ARLY');
    });
  });

  describe('§3.6 times', () => {
    it('§3.6 (6) go: no head after the handshake → closed; after one request the connection may idle', async () => {
      const west = await fixture.startExporter('go', { timeouts: { headMs: 150, keepAliveMs: 10_000 } });
      const warm = await fixture.dial(west);
      assert.equal((await ask(warm, HEARTBEAT)).status, 200);
      const startMs = performance.now();
      const silent = await fixture.dial(west);
      assert.equal(await silent.record(), undefined);
      const closedMs = performance.now() - startMs;
      assert.ok(closedMs >= 100, `closed after ${closedMs} ms`);
      // The warmed one has outlived that, and carries a CONNECT now.
      assert.equal((await ask(warm, connectOf('Bearer x'))).status, 403);
    });

    it('§3.6 (6) go: idle for too long after a request → closed, before one that still has the time for its head', async () => {
      const west = await fixture.startExporter('go', { timeouts: { headMs: 10_000, keepAliveMs: 300 } });
      const [silent, warm] = [await fixture.dial(west), await fixture.dial(west)];
      const startMs = performance.now();
      assert.equal((await ask(warm, HEARTBEAT)).status, 200);
      assert.equal(await warm.record(), undefined);
      const idledMs = performance.now() - startMs;
      assert.ok(idledMs >= 300, `closed after ${idledMs} ms`);
      assert.equal((await ask(silent, HEARTBEAT)).status, 200);
    });

    it('§3.6 (6) a head that comes in drops → the whole of it has the time', async () => {
      const west = await fixture.startExporter('go', { timeouts: { headMs: 150 } });
      const end = await fixture.dial(west);
      const drip = setInterval(() => end.socket.write('G'), 20);
      assert.equal((await end.rest()).length, 0);
      clearInterval(drip);
      assert.deepEqual(west.requests(), []);
    });

    it('§3.6 (7) go: a decision that takes too long → closed without an answer, CONNECT aside', async () => {
      const west = await fixture.startExporter('go', { timeouts: { writeMs: 50 } });
      const authorization = `Bearer ${await fixture.takeToken(west)}`;
      west.setDecisionMs(150);
      const [slow, tunnel] = [await fixture.dial(west), await fixture.dial(west)];
      await slow.send(authzOf(WANTED));
      assert.equal((await slow.rest()).length, 0);
      assert.equal(west.requests().at(-1)?.status, undefined);
      assert.equal((await ask(tunnel, connectOf(authorization))).status, 200);
    });

    it('random bytes, at once or in pieces → closed or refused; the next caller is served', async () => {
      for (const flavour of FLAVOURS) {
        const west = await fixture.startExporter(flavour, { timeouts: { headMs: 100 } });
        const ends = await Promise.all(Array.from({ length: 10 }, () => fixture.dial(west)));
        const answers = ends.map(async (end, index) => {
          for (let piece = 0; piece < index; piece++)
            await end.send(randomBytes(1 + 97 * index)).catch(() => undefined);
          return String(await end.rest());
        });
        for (const answer of await Promise.all(answers)) assert.match(answer, /^$|^HTTP\/1\.1 4/);
        assert.equal((await ask(await fixture.dial(west), HEARTBEAT)).status, 200);
      }
    });

    it('§3.6 a head of 10 + 4 KiB → taken; one byte more → 431 from Go, taken by Envoy', async () => {
      const headOf = (bytes: number): string =>
        HEARTBEAT.replace('\r\n\r\n', '\r\nx: y').padEnd(bytes - 4, 'y') + '\r\n\r\n';
      for (const [flavour, status] of [['go', 431] as const, ['envoy', 200] as const]) {
        const west = await fixture.startExporter(flavour);
        assert.equal((await ask(await fixture.dial(west), headOf(14_336))).status, 200);
        assert.equal((await ask(await fixture.dial(west), headOf(14_337))).status, status);
      }
    });

    it('§3.6 a silent tunnel → Envoy ends it after its idle time, Go does not', async () => {
      for (const flavour of FLAVOURS) {
        const idle = flavour === 'envoy' ? { timeouts: { tunnelIdleMs: 100 } } : {};
        const west = await fixture.startExporter(flavour, { coalesceEvery: 1_000_000, ...idle });
        const end = await fixture.openTunnel(west);
        if (flavour === 'envoy') assert.equal(await end.record(), undefined);
        else {
          await end.send('still here');
          assert.equal(String(await end.record()), 'still here');
        }
        await waitFor('the count', () => west.openTunnels() === (flavour === 'go' ? 1 : 0));
      }
    });
  });

  describe('§3.6 the end of a tunnel', () => {
    for (const flavour of FLAVOURS) {
      it(`§3.6 ${flavour}: a FIN of the importer → both directions end, the late answer is lost`, async () => {
        const answered: string[] = [];
        const west = await fixture.startExporter(flavour, {
          coalesceEvery: 1_000_000,
          service(socket) {
            socket.on('data', (bytes: Buffer) => answered.push(String(bytes)));
            socket.on('end', () => setTimeout(() => socket.end('too late'), 50));
          },
        });
        const end = await fixture.openTunnel(west);
        end.socket.end('question');
        assert.equal(String(await end.rest()), '');
        await waitFor('the question', () => answered.join('') === 'question');
        await waitFor('the end', () => west.openTunnels() === 0);
      });

      it(`§3.6 ${flavour}: a FIN of the service → what it said is delivered, then both directions end`, async () => {
        const said = Buffer.alloc(200_000, 'x');
        const west = await fixture.startExporter(flavour, { service: (socket) => void socket.end(said) });
        const token = await fixture.takeToken(west);
        const end = await fixture.dial(west);
        await end.send(connectOf(`Bearer ${token}`));
        const { beside } = await end.head();
        assert.equal(beside.length + (await end.rest()).length, said.length);
        end.socket.destroy();
        await waitFor('the end', () => west.openTunnels() === 0);
      });

      it(`§1.5, §8.4 (44) ${flavour}: policy, export and peer change → the open tunnel lives on`, async () => {
        const west = await fixture.startExporter(flavour, { coalesceEvery: 1_000_000 });
        const end = await fixture.openTunnel(west);
        west.setPolicies([]);
        west.setExports([]);
        west.swapCertificate(await fabric.identity('north'));
        await end.send('still here');
        assert.equal(String(await end.record()), 'still here');
      });
    }
  });
});
