import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { AppError } from '#src/api/errors.ts';
import { type Relay, type RelayOutcome, type RelaySide, startRelay } from '#src/gateway/relay.ts';
import { makeSlabPool } from '#src/gateway/slabs/pool.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import {
  dial,
  hashAll,
  listen,
  openSessionPair,
  openSocketPair,
  READINGS,
  type SessionPair,
  sha256,
  spoiledSlabs,
  until,
  useReading,
} from './session-pair.ts';

/** client -> relay -> stream of a session -> relay -> service: what two gateways do. */
interface Chain extends AsyncDisposable {
  readonly pair: SessionPair;
  /** Of the importing side, in the order of connections. */
  readonly relays: Relay[];
  readonly exportRelays: Relay[];
  connect(): Promise<Socket>;
}

async function openChain(serve: (socket: Socket) => void): Promise<Chain> {
  const relays: Relay[] = [];
  const exportRelays: Relay[] = [];
  const service = await listen((socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  const joinService = async (stream: YamuxStream): Promise<void> => {
    exportRelays.push(startRelay({ left: stream, right: await dial(service.port), pool: spoiledSlabs }));
  };
  const pair = await openSessionPair({ onStream: (stream) => void joinService(stream) });
  const listener = await listen((left) => {
    relays.push(startRelay({ left, right: pair.dialler.openStream(), pool: spoiledSlabs }));
  });
  return {
    pair,
    relays,
    exportRelays,
    connect: () => dial(listener.port),
    async [Symbol.asyncDispose]() {
      await pair[Symbol.asyncDispose]();
      await Promise.all([service.server, listener.server].map((server: Server) => once(server.close(), 'close')));
    },
  };
}

/** Sends what it received, once the client has closed its half. */
function answerAfterEnd(socket: Socket): void {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.on('end', () => socket.end(Buffer.concat(pieces)));
}

function echoSlowly(socket: Socket): void {
  socket.on('data', (piece) => {
    socket.pause();
    setImmediate(() => {
      if (socket.write(piece)) socket.resume();
    });
  });
  socket.on('drain', () => socket.resume());
  socket.on('end', () => setImmediate(() => socket.end()));
}

async function outcomesOf(chain: Chain): Promise<RelayOutcome[]> {
  await until(() => chain.relays.length > 0 && chain.exportRelays.length > 0);
  return Promise.all([...chain.relays, ...chain.exportRelays].map((relay) => relay.done));
}

for (const reading of READINGS) {
  describe(`startRelay, ${reading}`, () => {
    useReading(reading);
    const payloads = [Buffer.from('x'), Buffer.concat(Array<Buffer>(64).fill(randomBytes(1024 * 1024)))];
    for (const payload of payloads) {
      const bytes = payload.length;

      it(`${bytes} bytes, client first, answered after its half-close → equal, counted`, async () => {
        await using chain = await openChain(answerAfterEnd);
        const client = await chain.connect();
        client.end(payload);
        assert.equal(await hashAll(client), sha256(payload));
        for (const outcome of await outcomesOf(chain)) {
          assert.deepEqual(outcome, { leftToRightBytes: bytes, rightToLeftBytes: bytes });
        }
      });

      it(`${bytes} bytes, server first, then its half-close → equal, the client still sends`, async () => {
        const received = Promise.withResolvers<string>();
        await using chain = await openChain((socket) => {
          socket.end(payload);
          hashAll(socket).then(received.resolve, received.reject);
        });
        const client = await chain.connect();
        assert.equal(await hashAll(client), sha256(payload));
        client.end(payload);
        assert.equal(await received.promise, sha256(payload));
        for (const outcome of await outcomesOf(chain)) assert.equal(outcome.error, undefined);
      });
    }

    it('500 connections at once, slow readers at both ends → equal by hash', async () => {
      await using chain = await openChain(echoSlowly);
      const payloads = Array.from({ length: 500 }, (_, index) => randomBytes(1 + index * 200));
      const hashes = payloads.map(async (payload) => {
        const client = await chain.connect();
        client.on('data', () => {
          client.pause();
          setImmediate(() => client.resume());
        });
        client.end(payload);
        return hashAll(client);
      });
      assert.deepEqual(await Promise.all(hashes), payloads.map(sha256));
      const outcomes = await outcomesOf(chain);
      assert.equal(outcomes.length, 1000);
      assert.ok(outcomes.every(({ error }) => error === undefined));
      await until(() => chain.pair.dialler.streams === 0 && chain.pair.acceptor.streams === 0);
    });

    it('a service that does not read → the client is held back', async () => {
      const service = Promise.withResolvers<Socket>();
      await using chain = await openChain(service.resolve);
      const client = await chain.connect();
      let sentBytes = 0;
      const send = (): void => {
        while (sentBytes < 256 * 1024 * 1024 && client.write(Buffer.alloc(65_536))) sentBytes += 65_536;
      };
      client.on('drain', send);
      client.on('error', () => {});
      send();
      let before = -1;
      // Held back when a while brings no progress; buffers of the kernel on four sockets are the greater part of it.
      while (before !== sentBytes) {
        before = sentBytes;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.ok(sentBytes < 64 * 1024 * 1024, `${sentBytes} bytes`);
      client.destroy();
      (await service.promise).destroy();
    });

    const cuts: {
      name: string;
      cut: (chain: Chain, client: Socket, service: Socket) => void;
      failedSide?: 'left' | 'right';
    }[] = [
      { name: 'the service resets', cut: (_chain, _client, service) => service.resetAndDestroy(), failedSide: 'right' },
      { name: 'the client resets', cut: (_chain, client) => client.resetAndDestroy(), failedSide: 'left' },
      { name: 'the session is lost', cut: ({ pair }) => pair.sockets[1].destroy() },
      {
        name: 'the importer aborts',
        cut: ({ relays }) => relays[0]?.abort(new AppError('ERR_STREAM_RESET', 'policy')),
      },
      {
        name: 'the exporter aborts',
        cut: ({ exportRelays }) => exportRelays[0]?.abort(new Error('policy')),
        failedSide: 'right',
      },
    ];
    for (const { name, cut, failedSide } of cuts) {
      it(`${name} in the middle → both ends see a reset, never an end`, async () => {
        const accepted = Promise.withResolvers<Socket>();
        await using chain = await openChain(accepted.resolve);
        const client = await chain.connect();
        const service = await accepted.promise;
        client.write('begun');
        await once(service, 'data');
        service.write('begun');
        await once(client, 'data');
        const ends = [client, service].map((socket) =>
          hashAll(socket).then(
            () => 'end',
            (error: Error) => error,
          ),
        );
        cut(chain, client, service);
        const outcomes = await outcomesOf(chain);
        for (const { error } of outcomes) assert.ok(error);
        if (failedSide !== undefined) assert.equal(outcomes[0]?.failedSide, failedSide);
        for (const [index, end] of (await Promise.all(ends)).entries()) {
          const cutItself = name === ['the client resets', 'the service resets'][index];
          if (cutItself) assert.notEqual(end, 'end');
          else assert.equal((end as { code?: string }).code, 'ECONNRESET');
        }
      });
    }

    it('one side ends, and all is cut in the same turn of the event loop → both sides are closed, and the other end of each hears it', async () => {
      const [client, left] = await openSocketPair();
      const [right, service] = await openSocketPair();
      const relay = startRelay({ left, right, pool: spoiledSlabs });
      const closed = [left, right].map((side) => once(side, 'close'));
      right.once('end', () => relay.abort(new Error('policy')));
      // It has had the end; what it hears when it goes on to write is the kernel's EPIPE.
      client.resume().once('end', () => {
        const writing = setInterval(() => client.write('more'), 1);
        client.once('close', () => clearInterval(writing));
      });
      const failed = [client, service].map((end) => new Promise<Error>((resolve) => end.once('error', resolve)));
      service.end();
      await Promise.all(closed);
      const codes = (await Promise.all(failed)).map((error) => (error as NodeJS.ErrnoException).code);
      assert.ok(['EPIPE', 'ECONNRESET'].includes(codes[0] ?? ''), String(codes[0]));
      assert.equal(codes[1], 'ECONNRESET');
    });

    if (reading === 'into slabs') {
      it('a fault of ours while bytes are handed on → both sides see a reset, the memory is never used again', async () => {
        const [client, left] = await openSocketPair();
        const [right, service] = await openSocketPair();
        const pool = makeSlabPool();
        let bytes = 0;
        const onBytes = (_from: RelaySide, count: number): void => {
          bytes += count;
          if (bytes > 512 * 1024) throw new Error('mine');
        };
        const relay = startRelay({ left, right, pool, onBytes });
        const ends = [client, service].map((socket) => assert.rejects(hashAll(socket), { code: 'ECONNRESET' }));
        client.write(Buffer.alloc(4 * 1024 * 1024));
        const { error, failedSide } = await relay.done;
        assert.deepEqual([error?.message, failedSide], ['mine', 'left']);
        await Promise.all(ends);
        assert.ok(pool.quarantined === 1 && pool.taken === 1);
      });
    }

    it('bytes are counted live; abort after the end changes nothing', async () => {
      const [client, left] = await openSocketPair();
      const [right, service] = await openSocketPair();
      const seen: [string, number][] = [];
      const relay = startRelay({ left, right, pool: spoiledSlabs, onBytes: (from, bytes) => seen.push([from, bytes]) });
      client.write('four');
      await once(service, 'data');
      assert.equal(relay.leftToRightBytes, 4);
      assert.deepEqual(seen, [['left', 4]]);
      service.end('answer');
      await once(client.resume(), 'end');
      client.end();
      const outcome = await relay.done;
      relay.abort(new Error('late'));
      assert.deepEqual(outcome, { leftToRightBytes: 4, rightToLeftBytes: 6 });
      assert.equal(await relay.done, outcome);
    });

    it('bytes put back before the relay → come first', async () => {
      const [client, left] = await openSocketPair();
      const [right, service] = await openSocketPair();
      left.unshift(Buffer.from('early '));
      client.end('late');
      const relay = startRelay({ left, right, pool: spoiledSlabs });
      service.end();
      assert.equal(await hashAll(service), sha256(Buffer.from('early late')));
      assert.equal((await relay.done).leftToRightBytes, 10);
    });

    it('a side that is gone already → the other is reset', async () => {
      const [client, left] = await openSocketPair();
      const [right, service] = await openSocketPair();
      left.destroy();
      const end = assert.rejects(hashAll(service), { code: 'ECONNRESET' });
      const outcome = await startRelay({ left, right, pool: spoiledSlabs }).done;
      assert.equal(outcome.failedSide, 'left');
      await end;
      client.destroy();
    });
  });
}
