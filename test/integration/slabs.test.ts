import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { createFabric } from '#src/fabric/authority.ts';
import { startRelay } from '#src/gateway/relay.ts';
import { readIntoSlabs } from '#src/gateway/slabs/reads.ts';
import { hasUserBuffers, proveUserBuffers, readInto } from '#src/gateway/slabs/user-buffer.ts';
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

describe('proveUserBuffers', () => {
  it('a Node that was not tested → off, and nothing is touched', async () => {
    assert.equal(await proveUserBuffers('99.0.0'), false);
    const [socket, other] = await openSocketPair();
    const before = Object.getOwnPropertySymbols(socket).length;
    assert.equal(readIntoSlabs({ socket, onBytes: () => assert.fail('off') }), undefined);
    assert.equal(Object.getOwnPropertySymbols(socket).length, before);
    socket.destroy();
    other.destroy();
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
    assert.deepEqual([readInto(socket, userBuffer), readInto(socket, userBuffer)], [true, false]);
    socket.destroy();
    other.destroy();
  });

  it('a consumer that throws → the socket fails with that, and its slab does not come back', async () => {
    const [socket, other] = await openSocketPair();
    readIntoSlabs({
      socket,
      onBytes() {
        throw new Error('mine');
      },
    });
    const failed = once(socket, 'error');
    other.on('error', () => undefined);
    socket.resume();
    other.write('x');
    assert.equal(((await failed) as [Error])[0].message, 'mine');
    other.destroy();
  });

  it('TLS, dialled over a socket and accepted → both are read into slabs, equal by hash', async () => {
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
      });
      assert.ok(reads);
      socket.resume();
      return { pieces, bytes: () => pieces.reduce((sum, { length }) => sum + length, 0), wasTaken: () => wasTaken };
    });
    for (const socket of ends) socket.write(payload);
    await until(() => received.every(({ bytes }) => bytes() === payload.length));
    for (const { pieces, wasTaken } of received) {
      assert.equal(sha256(Buffer.concat(pieces)), sha256(payload));
      assert.ok(wasTaken());
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
