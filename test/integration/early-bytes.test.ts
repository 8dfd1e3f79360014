/** A client that speaks before anybody has accepted it: its bytes reach one source, once, whatever the source before made of it. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { readHead } from '#src/gateway/read-head.ts';
import { encodeAnswer, parseStreamRequest } from '#src/gateway/wire/connect.ts';
import { makeRequestHeadParser } from '#src/gateway/wire/head.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';
import { greetAs, type HostileSession } from '#test/support/hostile.ts';
import { allowAll, startTestPlane, type TestPlane } from '#test/support/planes.ts';
import { waitFor } from '#test/support/wait.ts';

const VIP = '127.99.7.1';
/** How long bytes that were on their way would have had to arrive at the first source. */
const REFUSE_AFTER_MS = 300;

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
    [south, west] = [await startTestPlane({ fabric, name: 'south' }), await startTestPlane({ fabric, name: 'west' })];
    open.push(
      () => south.close(),
      () => west.close(),
    );
    const endpoints = [{ host: '127.0.0.1', port: await service() }];
    const ports = [{ name: '', protocol: 'TCP' as const, port: 5432 }];
    south.apply({
      peers: [{ name: 'west', labels: {}, gateways: [], mayAssert: [] }],
      exports: [
        { namespace: 'shop', name: 'db', uid: 'u', labels: {}, ports: ports.map((port) => ({ ...port, endpoints })) },
      ],
      policies: allowAll('shop'),
    });
    const sources = ['east', 'south'].map((peer) => {
      return { peer, namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 };
    });
    west.apply({
      peers: [
        { name: 'east', labels: {}, gateways: [], mayAssert: [] },
        { name: 'south', labels: {}, gateways: [{ host: '127.0.0.1', port: south.port }], mayAssert: [] },
      ],
      imports: [{ key: { namespace: 'store', name: 'db' }, ips: [VIP], ports, sources, labels: {}, localFirst: true }],
      policies: allowAll('store'),
    });
    await waitFor('south can be used', () => west.peers.get('south')?.version !== undefined);
  });
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });

  async function service(): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const chunks: Buffer[] = [];
      served.push(chunks);
      socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => socket.end('taken'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  /** East by hand: the first source in turn. It reads what comes behind the request, and then does this. */
  async function meetEast(answer: (stream: YamuxStream, session: HostileSession, connection: string) => void) {
    const seen = { asked: 0, bytes: 0 };
    const session = await greetAs(await fabric.identity('east'), west, (stream) => {
      stream.on('error', () => undefined);
      void refuse(stream);
    });
    async function refuse(stream: YamuxStream): Promise<void> {
      const asked = parseStreamRequest(await readHead(stream, makeRequestHeadParser(), 5_000));
      assert.equal(asked.kind, 'connect');
      seen.asked++;
      stream.on('data', (chunk: Buffer) => (seen.bytes += chunk.length));
      setTimeout(() => answer(stream, session, asked.request.connection), REFUSE_AFTER_MS);
    }
    open.push(() => session[Symbol.asyncDispose]());
    await waitFor('both sources can be used', () =>
      west.imports.get('store/db')?.sources.every(({ usable }) => usable),
    );
    return seen;
  }

  async function send(payload: Buffer): Promise<{ readonly socket: Socket; readonly answer: Promise<string> }> {
    const listener = await waitFor('west listens', () =>
      west.imports.get('store/db')?.listeners.find(({ state }) => state === 'Listening'),
    );
    const socket = connect({ port: listener.listenPort ?? 0, host: VIP, allowHalfOpen: true });
    socket.end(payload);
    const answer = new Promise<string>((resolve, reject) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.once('end', () => resolve(text)).once('error', reject);
    });
    return { socket, answer };
  }
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

  for (const [title, answer] of [
    [
      'refuses',
      (stream: YamuxStream, _session: HostileSession, connection: string) =>
        stream.end(encodeAnswer({ ok: false, status: 503, reason: 'unavailable', connection })),
    ],
    ['resets the stream', (stream: YamuxStream) => stream.reset()],
    ['loses its session', (_stream: YamuxStream, session: HostileSession) => session.yamux.destroy(new Error('gone'))],
    ['says nothing', () => undefined],
  ] as const) {
    for (const size of [1, 1024 * 1024]) {
      it(`${size} bytes, and the first source ${title} → the second one gets exactly these, once; the first none`, async () => {
        const east = await meetEast(answer);
        const payload = randomBytes(size);
        const client = await send(payload);
        assert.equal(await client.answer, 'taken');
        assert.deepEqual(
          served.map((chunks) => digest(Buffer.concat(chunks))),
          [digest(payload)],
        );
        assert.deepEqual(east, { asked: 1, bytes: 0 });
      });
    }
  }

  it('the first source says yes and is lost then → a reset, and nobody else gets them: they may have been taken', async () => {
    const east = await meetEast((stream, session, connection) => {
      stream.write(encodeAnswer({ ok: true, connection }));
      stream.once('data', () => setImmediate(() => session.yamux.destroy(new Error('gone'))));
    });
    const client = await send(Buffer.from('once'));
    await assert.rejects(client.answer, { code: 'ECONNRESET' });
    assert.deepEqual([east.asked, served.length], [1, 0]);
  });
});
