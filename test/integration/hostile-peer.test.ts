/** A peer with a valid certificate, or nearly, that tries everything else: refused with a counted reason, others unaffected. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { EXCHANGE_LINE_BYTES_MAX, HEAD_TIMEOUT_MS, SESSIONS_PER_PEER_MAX } from '#src/gateway/limits.ts';
import { REFUSAL_LINGER_MS } from '#src/gateway/limits.ts';
import { makeTestFabric } from '#test/support/fabric.ts';
import { encodeConnect, encodeExchange, type ConnectRequest } from '#src/gateway/wire/connect.ts';
import { HEAD_BYTES_MAX } from '#src/gateway/wire/limits.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { dataFrame, dialAs, greetAs, helloLine, makeConnect, readAll, SYN, whenClosed } from '#test/support/hostile.ts';
import type { HostileSession } from '#test/support/hostile.ts';
import { startHostileStage, type HostileStage } from '#test/support/hostile-stage.ts';
import { describeFloods } from './hostile-load.ts';
import { describeLies } from './hostile-records.ts';
import { makeOddIdentity } from '#test/support/odd-identity.ts';
import { waitFor } from '#test/support/wait.ts';

describe('a hostile peer', function () {
  this.timeout(60_000);
  let stage: HostileStage;
  let mallory: PeerIdentity;
  before(async () => {
    stage = await startHostileStage();
    mallory = stage.mallory;
  });
  after('the good peer was not slowed, the victim stayed within its bounds', async () => {
    // Undefined when it could not be started, which has been told.
    const started = stage as HostileStage | undefined;
    try {
      await started?.judge();
    } finally {
      await started?.close();
    }
  });
  beforeEach(() => stage.mark());

  const dial = (identity: PeerIdentity): ReturnType<typeof dialAs> => dialAs(identity, stage.victim);
  const gone = (stream: YamuxStream | Socket): Promise<unknown> =>
    waitFor('it is cut', () => stream.destroyed || stream.readableEnded);

  describe('before there is a session', () => {
    it('garbage instead of TLS → closed, MALFORMED', async () => {
      const socket = connect(stage.victim.port, '127.0.0.1').on('error', () => undefined);
      socket.end('let me in, I am a friend of the family\r\n');
      socket.resume();
      await stage.refused('MALFORMED');
      await gone(socket);
    });

    const cases: { name: string; make(): Promise<PeerIdentity>; reason: string }[] = [
      {
        name: 'a second name in the certificate',
        make: () => makeOddIdentity({ path: stage.world.root }, { fabric: 'fabric', sans: ['mallory', 'west'] }),
        reason: 'PEER_NAME_MISMATCH',
      },
      {
        name: 'an expired certificate',
        make: () =>
          makeOddIdentity(
            { path: stage.world.root },
            { fabric: 'fabric', sans: ['mallory'], notAfter: new Date(Date.now() - 60_000) },
          ),
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
      {
        name: 'its own root that vouches for the name of another',
        async make() {
          const own = await makeTestFabric();
          const { certPem, keyPem } = await own.identity('west');
          await own.remove();
          return { ...mallory, certPem, keyPem };
        },
        reason: 'PEER_ROOT_MISMATCH',
      },
      { name: 'a name without a Peer object', make: () => stage.identity('eve'), reason: 'PEER_UNKNOWN' },
    ];
    for (const { name, make, reason } of cases) {
      it(`${name} → closed, ${reason}`, async () => {
        const socket = await dial(await make());
        await stage.refused(reason);
        socket.resume();
        await gone(socket);
      });
    }

    it('more callers than sessions that say no hello → the next one is turned away at once, OVERLOADED', async () => {
      const sockets = [];
      for (let count = 0; count <= SESSIONS_PER_PEER_MAX; count++) sockets.push(await dial(mallory));
      await stage.refused('OVERLOADED');
      for (const socket of sockets) socket.destroy();
      await waitFor('they hung up', async () => (await stage.refusals()) === SESSIONS_PER_PEER_MAX + 1);
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
        const socket = await dial(mallory);
        socket.write(bytes);
        socket.resume();
        await stage.refused('MALFORMED');
        await gone(socket);
        assert.equal(await stage.hasSession(), false);
      });
    }
  });

  it('the end of a hello and garbage in one piece → the session ends, MALFORMED, and none is left', async () => {
    const socket = await dial(mallory);
    const hello = helloLine('mallory');
    socket.write(dataFrame(1, hello.slice(0, 5), SYN));
    // East has begun to read the line: the rest of it is digested in the turn in which the garbage is.
    await once(socket, 'data');
    socket.resume();
    socket.write(Buffer.concat([dataFrame(1, hello.slice(5)), Buffer.alloc(12, 0xff)]));
    await gone(socket);
    await stage.refused('MALFORMED');
    assert.equal(await stage.hasSession(), false);
  });

  describe('in a session', () => {
    let session: HostileSession;
    beforeEach(async () => {
      session = await greetAs(mallory, stage.victim);
      await waitFor('east has it', () => stage.hasSession());
    });
    afterEach(async () => {
      await session[Symbol.asyncDispose]();
      await waitFor('east has lost it', async () => !(await stage.hasSession()));
    });
    const ask = (changes: Partial<ConnectRequest>): Promise<string> =>
      readAll(session.say(encodeConnect(makeConnect(changes))));

    const heads: { name: string; head: string }[] = [
      { name: 'a head that is none', head: 'HELLO\r\n\r\n' },
      { name: 'a request for a file', head: 'GET /etc/passwd HTTP/1.1\r\nHost: east:443\r\n\r\n' },
      { name: 'an export with a path in it', head: connectText().replace('shop/echo', '../../etc/passwd') },
      {
        name: 'a field that must be understood',
        head: connectText().replace('\r\n\r\n', '\r\nmcs-crit: mcs-x\r\n\r\n'),
      },
      { name: 'a field twice', head: connectText().replace('\r\n\r\n', '\r\nmcs-port: 22/TCP\r\n\r\n') },
      { name: 'a body announced', head: connectText().replace('\r\n\r\n', '\r\nContent-Length: 4\r\n\r\nevil') },
      {
        name: 'a chunked body',
        head: connectText().replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
      },
      { name: 'lines that end in a bare LF', head: connectText().replaceAll('\r\n', '\n') },
      { name: 'a folded field', head: connectText().replace('shop/echo', 'shop/\r\n echo') },
      { name: 'a NUL in a field', head: connectText().replace('shop/echo', 'shop/echo\0') },
      { name: 'two hosts', head: connectText().replace('\r\n\r\n', '\r\nHost: west:443\r\n\r\n') },
      { name: 'an export in Cyrillic', head: connectText().replace('shop/echo', 'ѕhop/echo') },
      { name: 'a way of more hops than a head may name', head: connectText().replace('mallory', 'a, b, c, d, e, f') },
      { name: 'a head without an end', head: `CONNECT east:443 HTTP/1.1\r\nx: ${'x'.repeat(HEAD_BYTES_MAX)}` },
    ];
    function connectText(): string {
      return encodeConnect(makeConnect()).toString();
    }
    for (const { name, head } of heads) {
      it(`${name} → 400, MALFORMED`, async () => {
        assert.match(await readAll(session.say(head)), /^HTTP\/1\.1 400 Bad Request\r\nmcs-reason: malformed\r\n\r\n$/);
        await stage.refused('MALFORMED');
      });
    }

    it('a second request behind one that is denied → one answer, and nobody reads the second', async () => {
      const both = Buffer.concat([encodeConnect(makeConnect()), encodeConnect(makeConnect())]);
      const answer = await readAll(session.say(both));
      assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1);
      await stage.closedFor('INGRESS_DENIED');
    });

    it('for another exporter → 400, PEER_NAME_MISMATCH', async () => {
      assert.match(await ask({ exporter: 'west' }), /^HTTP\/1\.1 400 /);
      await stage.closedFor('PEER_NAME_MISMATCH');
    });

    it('the exchange of another exporter → 400, PEER_NAME_MISMATCH', async () => {
      assert.match(await readAll(session.say(encodeExchange('west'))), /^HTTP\/1\.1 400 /);
      await stage.refused('PEER_NAME_MISMATCH');
    });

    it('by way of the exporter itself → 508, LOOP', async () => {
      assert.match(await ask({ via: ['east', 'mallory'] }), /^HTTP\/1\.1 508 /);
      await stage.closedFor('LOOP');
    });

    it('one endpoint of an export that has none → 404, NOTHING_OFFERED', async () => {
      assert.match(await ask({ endpoint: 'db-0', crit: ['mcs-endpoint'] }), /^HTTP\/1\.1 404 /);
      await stage.closedFor('NOTHING_OFFERED');
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
          await stage.closedFor('INGRESS_DENIED');
          await stage.closedFor('NOTHING_OFFERED');
        } else await waitFor('they are counted', async () => (await stage.refusals()) === 3);
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
      await stage.refused('HANDSHAKE_TIMEOUT', 1_000);
    });

    it('a control line that breaks its schema → the session ends', async () => {
      session.control.write('{"closed":{"stream":-1,"reason":"boredom"}}\n');
      await waitFor('it is gone', () => session.yamux.closed);
    });

    it('a control stream that ends → the session ends', async () => {
      session.control.end();
      await waitFor('it is gone', () => session.yamux.closed);
    });

    for (const [name, line] of [
      ['a line of the exchange that is no JSON', '{"op":\n'],
      ['a giant line of the exchange', 'x'.repeat(EXCHANGE_LINE_BYTES_MAX + 1)],
    ] as const) {
      it(`${name} → that stream is reset, nothing reaches the exchange`, async () => {
        const recordsOf = async (): Promise<number | undefined> =>
          (await stage.east.status()).peers.find(({ name: peer }) => peer === 'mallory')?.records;
        const before = await recordsOf();
        const stream = session.say(encodeExchange('east'));
        stream.resume();
        await once(stream, 'data');
        stream.write(line);
        await gone(stream);
        assert.equal(session.yamux.closed, false);
        assert.equal(await recordsOf(), before);
      });
    }
  });

  describeLies(() => stage);
  // The last: who has begun too many handshakes has to wait.
  describeFloods(() => stage);
});
