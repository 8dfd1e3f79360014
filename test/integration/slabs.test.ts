import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { createFabric } from '#src/fabric/authority.ts';
import { startRelay } from '#src/gateway/relay.ts';
import { makeSlabPool, takeSpareSlab, type Slab, type SlabPool } from '#src/gateway/slabs/pool.ts';
import { readIntoSlabs } from '#src/gateway/slabs/reads.ts';
import { passesSelfTest } from '#src/gateway/slabs/self-test.ts';
import { hasUserBuffers, proveUserBuffers, readInto, startFastPath } from '#src/gateway/slabs/user-buffer.ts';
import {
  dial,
  hashAll,
  listen,
  openSessionPair,
  openSocketPair,
  sha256,
  spoiledSlabs,
  until,
  useReading,
} from './session-pair.ts';

const MEBIBYTE = 1024 * 1024;
const FRAME_BYTES = 64 * 1024 + 12;

describe('proveUserBuffers', () => {
  it('a Node that was not tested → off, and nothing is touched', async () => {
    await startFastPath('off'); // Of this process: a gateway of another test may have had it on.
    assert.equal(await proveUserBuffers('99.0.0'), 'node_untested');
    const [socket, other] = await openSocketPair();
    const before = Object.getOwnPropertySymbols(socket).length;
    assert.equal(readIntoSlabs({ socket, onBytes: () => assert.fail('off'), onFailure: assert.fail }), undefined);
    assert.equal(Object.getOwnPropertySymbols(socket).length, before);
    socket.destroy();
    other.destroy();
  });
});

describe('startFastPath', () => {
  it('switched off after it was on → off for every socket from then on', async () => {
    assert.equal(await startFastPath('on'), 'on');
    assert.equal(hasUserBuffers(), true);
    assert.equal(await startFastPath('off'), 'switched_off');
    assert.equal(hasUserBuffers(), false);
  });
});

describe('passesSelfTest', () => {
  it('buffers that cannot be given → does not pass', async () => {
    assert.equal(await passesSelfTest(() => undefined), false);
  });

  it('bytes that go past the buffers → does not pass', async () => {
    assert.equal(await passesSelfTest(() => ({ move: () => undefined })), false);
  });
});

describe('readIntoSlabs', () => {
  useReading('into slabs');

  it('this Node → the fast path is on: a new version of Node has to be looked at, and listed', () => {
    assert.equal(hasUserBuffers(), true);
  });

  it('a socket that is read into memory of ours → not a second time', async () => {
    const [socket, other] = await openSocketPair();
    const userBuffer = { next: () => Buffer.alloc(64), onRead: () => undefined };
    assert.notEqual(readInto(socket, userBuffer), undefined);
    assert.equal(readInto(socket, userBuffer), undefined);
    socket.destroy();
    other.destroy();
  });

  /** Two ends: what is written to the one, and whether what the other has read of it is that. */
  async function openReader(pool: SlabPool) {
    const [socket, other] = await openSocketPair();
    const [sent, received]: [Buffer[], Buffer[]] = [[], []];
    let receivedBytes = 0;
    let sentBytes = 0;
    const onBytes = (bytes: Buffer): void => {
      received.push(Buffer.from(bytes));
      receivedBytes += bytes.length;
    };
    assert.ok(readIntoSlabs({ socket, pool, onBytes, onFailure: assert.fail }));
    socket.resume();
    return {
      async carry(bytes: number): Promise<void> {
        const piece = randomBytes(bytes);
        sent.push(piece);
        sentBytes += bytes;
        other.write(piece);
        await until(() => receivedBytes === sentBytes);
        assert.equal(sha256(Buffer.concat(received)), sha256(Buffer.concat(sent)));
      },
      async close(): Promise<void> {
        socket.destroy();
        other.destroy();
        if (!socket.closed) await once(socket, 'close');
      },
    };
  }

  it('silence after a burst → its slab is others’, and both get what is theirs; again and again', async () => {
    const pool = makeSlabPool({ slabsMax: 1, onReturn: (memory) => void memory.fill(0xee) });
    const [one, two] = [await openReader(pool), await openReader(pool)];
    for (const [burst, quiet] of [
      [one, two],
      [two, one],
      [one, two],
    ] as const) {
      await burst.carry(100_000);
      assert.equal(pool.taken, 1);
      await until(() => pool.taken === 0);
      await quiet.carry(100_000);
      assert.equal(pool.taken, 1);
      // Where the one reads now, and where it would have read without what was done in the silence.
      await burst.carry(1_000);
      await quiet.carry(300_000);
      await burst.carry(10);
      await until(() => pool.taken === 0);
    }
    await Promise.all([one.close(), two.close()]);
    assert.equal(pool.taken, 0);
  });

  it('all memory for bulk is taken → small steps, every byte; there is some again → bulk', async () => {
    const pool = makeSlabPool({ slabsMax: 1 });
    const mine = pool.take();
    const spares: Slab[] = [];
    for (let spare = takeSpareSlab(); spare !== undefined; spare = takeSpareSlab()) spares.push(spare);
    const reader = await openReader(pool);
    await reader.carry(3 * MEBIBYTE);
    mine?.retire();
    assert.equal(pool.taken, 0);
    await reader.carry(100_000);
    assert.equal(pool.taken, 1);
    for (const spare of spares) spare.retire();
    await reader.close();
  });

  it('a consumer that throws → is told of it once, gets no more, and its slab is never used again', async () => {
    const [socket, other] = await openSocketPair();
    const pool = makeSlabPool({ slabsMax: 1 });
    const failures: string[] = [];
    let bytes = 0;
    readIntoSlabs({
      socket,
      pool,
      onBytes(piece, slab) {
        bytes += piece.length;
        if (slab?.isPooled === true) throw new Error('mine');
      },
      onFailure: ({ message }) => failures.push(message),
    });
    socket.resume();
    other.write(Buffer.alloc(MEBIBYTE));
    await until(() => failures.length > 0);
    const before = bytes;
    other.write(Buffer.alloc(MEBIBYTE));
    await until(() => socket.bytesRead > before + MEBIBYTE);
    assert.deepEqual([failures, bytes, pool.quarantined], [['mine'], before, 1]);
    socket.destroy();
    await once(socket, 'close');
    assert.deepEqual([pool.taken, pool.take()], [1, undefined]);
    other.destroy();
  });

  it('TLS, dialled and accepted, frames with a header → both are read into slabs in large pieces, equal by hash', async () => {
    const { certPem: cert, keyPem: key } = await createFabric({ name: 'west' });
    const accepted = Promise.withResolvers<TLSSocket>();
    const server = createServer({ cert, key }, accepted.resolve).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const raw = await dial((server.address() as { port: number }).port);
    const dialled = connect({ socket: raw, rejectUnauthorized: false });
    const ends = [dialled, await accepted.promise] as const;
    const payload = randomBytes(8 * MEBIBYTE);
    const received = ends.map((socket) => {
      const pieces: Buffer[] = [];
      let wasTaken = false;
      const reads = readIntoSlabs({
        socket,
        pool: spoiledSlabs,
        onBytes(bytes) {
          wasTaken ||= spoiledSlabs.taken > 0;
          pieces.push(Buffer.from(bytes));
        },
        onFailure: assert.fail,
      });
      assert.ok(reads);
      socket.resume();
      return { pieces, bytes: () => pieces.reduce((sum, { length }) => sum + length, 0), wasTaken: () => wasTaken };
    });
    // The last record of each holds twelve bytes, which must not end the bulk phase.
    for (let offset = 0; offset < payload.length; offset += FRAME_BYTES) {
      for (const socket of ends) socket.write(payload.subarray(offset, offset + FRAME_BYTES));
    }
    await until(() => received.every(({ bytes }) => bytes() === payload.length));
    for (const { pieces, wasTaken } of received) {
      assert.equal(sha256(Buffer.concat(pieces)), sha256(payload));
      assert.ok(wasTaken());
      assert.ok(pieces.length < payload.length / FRAME_BYTES, `${pieces.length} pieces`);
    }
    for (const socket of ends) socket.destroy();
    server.close();
    await until(() => spoiledSlabs.taken === 0);
  });

  it('readers that stall at both ends, random pieces, half-close → equal by hash, all slabs are back', async () => {
    const services: Socket[] = [];
    const service = await listen((socket) => services.push(socket));
    await using pair = await openSessionPair({
      onStream(left) {
        void dial(service.port).then((right) => startRelay({ left, right, pool: spoiledSlabs }));
      },
    });
    const entry = await listen((left) => {
      startRelay({ left, right: pair.dialler.openStream(), pool: spoiledSlabs });
    });
    const payloads = Array.from({ length: 4 }, () => randomBytes(24 * MEBIBYTE));
    const clients = await Promise.all(payloads.map(() => dial(entry.port)));
    await until(() => services.length === clients.length);
    const send = async (socket: Socket, payload: Buffer): Promise<void> => {
      for (let offset = 0; offset < payload.length;) {
        const end = offset + 1 + Math.floor(Math.random() ** 4 * 2 * MEBIBYTE);
        if (!socket.write(payload.subarray(offset, end))) await once(socket, 'drain');
        offset = end;
      }
      socket.end();
    };
    const sent = [...clients, ...services].map((socket, index) => send(socket, payloads[index % 4] as Buffer));
    // All buffers on the way are full before anybody reads.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const hashes = await Promise.all(
      [...clients, ...services].map((socket) => {
        socket.on('data', () => {
          socket.pause();
          setImmediate(() => socket.resume());
        });
        return hashAll(socket);
      }),
    );
    await Promise.all(sent);
    const wanted = payloads.map(sha256);
    // Services were reached in any order.
    assert.deepEqual([...new Set(hashes)].sort(), [...wanted].sort());
    assert.equal(hashes.length, 8);
    for (const { server } of [service, entry]) server.close();
  });
});
