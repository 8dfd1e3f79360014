/** A client that speaks before anybody has accepted it: its bytes cost no round trip, and reach one source, once, whatever becomes of it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { EARLY_FEATURE } from '#src/gateway/hello.ts';
import { DIAL_TIMEOUT_MS, EARLY_BYTES_MAX, SWITCH_AFTER_MS } from '#src/gateway/limits.ts';
import { readHead } from '#src/gateway/read-head.ts';
import { encodeAnswer, parseStreamRequest } from '#src/gateway/wire/connect.ts';
import { makeRequestHeadParser } from '#src/gateway/wire/head.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { greetAs, type HostileSession } from '#test/support/hostile.ts';
import { startPath } from '#test/support/path.ts';
import { allowAll, startTestPlane, type SnapshotParts, type TestPlane } from '#test/support/planes.ts';
import { waitFor } from '#test/support/wait.ts';

const VIP = '127.99.7.1';
const ROUND_TRIP_MS = 100;
/** How long bytes that must not come would have had to arrive. */
const ARRIVE_MS = 100;

type Import = NonNullable<SnapshotParts['imports']>[number];
type Peer = NonNullable<SnapshotParts['peers']>[number];

/** A stream that the first source is asked on, and its session. */
interface Asked {
  readonly stream: YamuxStream;
  readonly session: HostileSession;
  readonly connection: string;
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('bytes that a client sends at once', function () {
  this.timeout(20_000);
  let fabric: TestFabric;
  let south: TestPlane;
  let west: TestPlane;
  /** What the service of south was sent, one entry a connection. */
  let served: Buffer[][];
  const open: (() => unknown)[] = [];

  before(async () => (fabric = await makeTestFabric()));
  after(() => fabric.remove());
  beforeEach(async () => {
    served = [];
    south = await start('south');
    west = await start('west');
    south.apply({ peers: [peerAt('west')], exports: exporting(await service()), policies: allowAll('shop') });
  });
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });

  async function start(name: string): Promise<TestPlane> {
    const plane = await startTestPlane({ fabric, name });
    open.push(() => plane.close());
    return plane;
  }

  function peerAt(name: string, port?: number): Peer {
    return { name, labels: {}, gateways: port === undefined ? [] : [{ host: '127.0.0.1', port }], mayAssert: [] };
  }

  function exporting(port: number): NonNullable<SnapshotParts['exports']> {
    const ports = [{ name: '', protocol: 'TCP' as const, port: 5432, endpoints: [{ host: '127.0.0.1', port }] }];
    return [{ namespace: 'shop', name: 'db', uid: 'u', labels: {}, ports }];
  }

  /** Keeps what it is sent, and says `taken` at its end. */
  async function service(onSocket: (socket: Socket) => void = keep): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      onSocket(socket.on('error', () => undefined));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  function keep(socket: Socket): void {
    const chunks: Buffer[] = [];
    served.push(chunks);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => socket.end('taken'));
  }

  async function importFrom(peers: readonly Peer[], changes: Partial<Import> = {}): Promise<void> {
    const ports = [{ name: '', protocol: 'TCP' as const, port: 5432 }];
    const sources = peers.map(({ name }) => {
      return { peer: name, namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 };
    });
    const key = { namespace: 'store', name: 'db' };
    const version = west.apply({
      peers,
      imports: [{ key, ips: [VIP], ports, sources, labels: {}, localFirst: true, scheme: 'Static', ...changes }],
      policies: allowAll('store'),
    });
    await waitFor('its sources can be used', () => {
      const { sources: seen = [], listeners = [] } = west.imports.get('store/db') ?? {};
      const isListening = listeners.some(({ state }) => state === 'Listening');
      return west.acknowledged() === version && seen.every(({ usable }) => usable) && isListening;
    });
  }

  function dial(): Socket {
    const listener = west.imports.get('store/db')?.listeners.find(({ state }) => state === 'Listening');
    return connect({ port: listener?.listenPort ?? 0, host: VIP, allowHalfOpen: true, noDelay: true });
  }

  /** What comes back to a client that sends this and ends. */
  async function send(payload: Buffer): Promise<string> {
    const socket = dial();
    socket.end(payload);
    let text = '';
    for await (const chunk of socket as AsyncIterable<Buffer>) text += chunk.toString();
    return text;
  }

  /** East by hand is the first source, and south the second one. It answers when all has come that comes before an answer. */
  async function meetEast(options: {
    readonly features: readonly string[];
    readonly expectedBytes: number;
    answer(asked: Asked): unknown;
  }) {
    const seen = { asked: 0, bytes: 0, withdrawn: 0, fault: '' };
    west.apply({ peers: [peerAt('east')] });
    await waitFor('west knows east', () => west.peers.has('east'));
    const identity = await fabric.identity('east');
    const session = await greetAs(identity, west, (stream) => void serve(stream), 'one', options.features);
    open.push(() => session[Symbol.asyncDispose]());
    session.control.on('data', (lines: Buffer) => (seen.withdrawn += lines.toString().split('"withdraw"').length - 1));
    async function serve(stream: YamuxStream): Promise<void> {
      stream.on('error', () => undefined);
      const asked = parseStreamRequest(await readHead(stream, makeRequestHeadParser(), 5_000));
      assert.equal(asked.kind, 'connect');
      seen.asked++;
      stream.on('data', (chunk: Buffer) => (seen.bytes += chunk.length));
      const answer = (): unknown => options.answer({ stream, session, connection: asked.request.connection });
      if (options.expectedBytes === 0) return void setTimeout(answer, ARRIVE_MS);
      await waitFor('the early bytes', () => seen.bytes === options.expectedBytes).catch((error: Error) => {
        seen.fault = error.message;
      });
      answer();
    }
    await importFrom([peerAt('east'), peerAt('south', south.port)]);
    return seen;
  }

  const refuse = ({ stream, connection }: Asked): unknown =>
    stream.end(encodeAnswer({ ok: false, status: 503, reason: 'unavailable', connection }));
  const lose = ({ session }: Asked): unknown => session.yamux.destroy(new Error('gone'));

  it(`${ROUND_TRIP_MS} ms away → the first answer after one round trip, opted out after two; who is spoken to first waits for one`, async () => {
    const echo = await service((socket) => void socket.pipe(socket));
    const greeter = await service((socket) => void socket.write('hello'));
    const path = await startPath({ port: south.port, roundTripMs: ROUND_TRIP_MS, bitsPerSecond: 1e9 });
    open.push(() => path.close());
    async function roundTrips(port: number, said: string, changes: Partial<Import>): Promise<number> {
      const version = south.apply({ peers: [peerAt('west')], exports: exporting(port), policies: allowAll('shop') });
      await waitFor('it is exported', () => south.acknowledged() === version);
      await importFrom([peerAt('south', path.port)], changes);
      let leastMs = Infinity;
      for (let count = 0; count < 3; count++) {
        const startMs = performance.now();
        const socket = dial();
        if (said !== '') socket.write(said);
        await once(socket, 'data');
        leastMs = Math.min(leastMs, performance.now() - startMs);
        socket.resetAndDestroy();
      }
      return leastMs / ROUND_TRIP_MS;
    }
    const early = await roundTrips(echo, 'first', {});
    const late = await roundTrips(echo, 'first', { earlyData: 'Off' });
    const greeted = await roundTrips(greeter, '', {});
    const all = JSON.stringify({ early, late, greeted });
    assert.ok(early >= 1 && early < 1.6 && greeted >= 1 && greeted < 1.6 && late > 1.9, all);
    await waitFor('all have ended', () => west.closings.length === 9);
    const bytes = west.closings.map(({ earlyBytes, sentBytes }) => [earlyBytes, sentBytes]);
    assert.deepEqual(bytes, [
      ...Array.from({ length: 3 }, () => [5, 5]),
      ...Array.from({ length: 3 }, () => [undefined, 5]),
      ...Array.from({ length: 3 }, () => [undefined, 0]),
    ]);
  });

  for (const size of [1, EARLY_BYTES_MAX, EARLY_BYTES_MAX + 1, 1024 * 1024]) {
    it(`${size} bytes, and the first source refuses when it has what goes early → the second one gets exactly these, once`, async () => {
      const expectedBytes = Math.min(size, EARLY_BYTES_MAX);
      const east = await meetEast({ features: [EARLY_FEATURE], expectedBytes, answer: refuse });
      const payload = randomBytes(size);
      assert.equal(await send(payload), 'taken');
      assert.deepEqual(
        served.map((chunks) => digest(Buffer.concat(chunks))),
        [digest(payload)],
      );
      assert.deepEqual(east, { asked: 1, bytes: expectedBytes, withdrawn: 0, fault: '' });
      const record = await waitFor('it is recorded', () => west.closings[0]);
      assert.deepEqual([record.peer, record.reason, record.sentBytes], ['south', 'DONE', size]);
    });
  }

  it('the first source says beside the stream that it was not served, and resets it → the second one gets them', async () => {
    const east = await meetEast({
      features: [EARLY_FEATURE],
      expectedBytes: 4,
      answer({ session, stream }) {
        stream.reset();
        const closed = { stream: stream.id, reason: 'overloaded', unserved: true };
        session.control.write(`${JSON.stringify({ closed })}\n`);
      },
    });
    assert.equal(await send(Buffer.from('once')), 'taken');
    assert.deepEqual([east.asked, Buffer.concat(served[0] ?? []).toString()], [1, 'once']);
  });

  const spent: readonly (readonly [string, (asked: Asked) => unknown])[] = [
    ['loses its session', lose],
    ['resets the stream', ({ stream }) => stream.reset()],
    [
      'cuts it, and says why',
      ({ session, stream }) => {
        session.control.write(`${JSON.stringify({ closed: { stream: stream.id, reason: 'denied' } })}\n`);
        stream.reset();
      },
    ],
    ['answers with something else', ({ stream }) => stream.write('SSH-2.0-OpenSSH\r\n\r\n')],
  ];
  for (const [title, answer] of spent) {
    it(`the first source has them, and ${title} → a reset, EARLY_BYTES_SPENT, and the second one is not asked`, async () => {
      const east = await meetEast({ features: [EARLY_FEATURE], expectedBytes: 4, answer });
      await assert.rejects(send(Buffer.from('once')), { code: 'ECONNRESET' });
      const record = await waitFor('it is recorded', () => west.closings[0]);
      assert.deepEqual([record.peer, record.reason, record.opened], ['east', 'EARLY_BYTES_SPENT', false]);
      assert.deepEqual([record.sentBytes, record.earlyBytes], [0, 4]);
      assert.match(record.message, /^4 bytes .* may have been delivered/);
      assert.deepEqual([east.asked, served.length, south.closings.length], [1, 0, 0]);
    });
  }

  it('the first source says nothing → it is asked to refuse them, does, and the second one gets them', async () => {
    const east = await meetEast({
      features: [EARLY_FEATURE],
      expectedBytes: 4,
      answer: (asked) => waitFor('it is taken back', () => east.withdrawn === 1).then(() => refuse(asked)),
    });
    const startMs = performance.now();
    assert.equal(await send(Buffer.from('once')), 'taken');
    assert.ok(performance.now() - startMs >= SWITCH_AFTER_MS);
    assert.deepEqual([east.asked, Buffer.concat(served[0] ?? []).toString()], [1, 'once']);
    assert.match(west.ejections[0]?.ejected?.message ?? '', /^east has not answered/);
  });

  it('the endpoint of the first source stands still → it gives up the dial when it is asked to, and the second one gets them', async () => {
    const east = await start('east');
    const stalled = await stalledService();
    east.apply({ peers: [peerAt('west')], exports: exporting(stalled), policies: allowAll('shop') });
    await importFrom([peerAt('east', east.port), peerAt('south', south.port)]);
    const startMs = performance.now();
    assert.equal(await send(Buffer.from('once')), 'taken');
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs >= SWITCH_AFTER_MS && tookMs < DIAL_TIMEOUT_MS, `${tookMs} ms`);
    const record = await waitFor('east records it', () => east.closings[0]);
    assert.deepEqual([record.reason, record.message], ['ABORTED', 'The peer took it back, to try elsewhere.']);
    assert.equal(Buffer.concat(served[0] ?? []).toString(), 'once');
  });

  /** The kernel takes two connections for it, and does not answer those that come then. */
  async function stalledService(): Promise<number> {
    const listening = "require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, ";
    const told = 'function () { console.log(this.address().port); })';
    const child = spawn(process.execPath, ['-e', listening + told], { stdio: ['ignore', 'pipe', 'inherit'] });
    open.push(() => child.kill('SIGKILL'));
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    child.kill('SIGSTOP');
    for (let count = 0; count < 2; count++) {
      const socket = connect(Number(line.toString()), '127.0.0.1').on('error', () => undefined);
      open.push(() => socket.destroy());
      await once(socket, 'connect');
    }
    return Number(line.toString());
  }

  it('the export denies → its endpoint sees no connection, the client a reset', async () => {
    const version = south.apply({ peers: [peerAt('west')], exports: exporting(await service()) });
    await waitFor('it is in force', () => south.acknowledged() === version);
    await importFrom([peerAt('south', south.port)]);
    await assert.rejects(send(randomBytes(1024)), { code: 'ECONNRESET' });
    const [mine, theirs] = [west.closings[0], await waitFor('south records it', () => south.closings[0])];
    assert.deepEqual([mine?.reason, mine?.earlyBytes, theirs.reason], ['INGRESS_DENIED', 1024, 'INGRESS_DENIED']);
    assert.equal(served.length, 0);
  });

  it('the first source backs the import no longer when it says yes → a reset, EXPORT_DELETED, and nobody else gets them', async () => {
    const sources = [{ peer: 'south', namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 }];
    const east = await meetEast({
      features: [EARLY_FEATURE],
      expectedBytes: 4,
      async answer({ stream, connection }) {
        await importFrom([peerAt('east'), peerAt('south', south.port)], { sources });
        stream.write(encodeAnswer({ ok: true, connection }));
      },
    });
    await assert.rejects(send(Buffer.from('once')), { code: 'ECONNRESET' });
    const record = await waitFor('it is recorded', () => west.closings[0]);
    assert.deepEqual([record.peer, record.reason, record.earlyBytes], ['east', 'EXPORT_DELETED', 4]);
    assert.deepEqual([east.asked, served.length], [1, 0]);
  });

  describe('a gateway of the version before', () => {
    for (const [title, answer] of [
      ['refuses', refuse],
      ['resets the stream', ({ stream }: Asked) => stream.reset()],
      ['loses its session', lose],
      ['says nothing', () => undefined],
    ] as const) {
      it(`is given nothing, and ${title} → the second source gets all of it, once`, async () => {
        const east = await meetEast({ features: [], expectedBytes: 0, answer });
        const payload = randomBytes(1024 * 1024);
        assert.equal(await send(payload), 'taken');
        assert.deepEqual(
          served.map((chunks) => digest(Buffer.concat(chunks))),
          [digest(payload)],
        );
        assert.deepEqual(east, { asked: 1, bytes: 0, withdrawn: 0, fault: '' });
      });
    }
  });

  it('the first source says yes and is lost then → a reset, and nobody else gets them: they may have been taken', async () => {
    const east = await meetEast({
      features: [EARLY_FEATURE],
      expectedBytes: 4,
      answer({ stream, session, connection }) {
        stream.write(encodeAnswer({ ok: true, connection }));
        setImmediate(() => session.yamux.destroy(new Error('gone')));
      },
    });
    await assert.rejects(send(Buffer.from('once')), { code: 'ECONNRESET' });
    assert.deepEqual([east.asked, served.length], [1, 0]);
  });
});
