import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { STREAM_WRITE_BUFFER_BYTES, WINDOW_BYTES } from '#src/gateway/yamux/limits.ts';
import { openYamux } from '#src/gateway/yamux/session.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { hashAll, openSessionPair, openSocketPair, READINGS, sha256, until, useReading } from './session-pair.ts';

const MEBIBYTE = 1024 * 1024;

/** Takes a little at a time and waits between: a reader that is always behind. */
async function hashSlowly(stream: YamuxStream): Promise<string> {
  stream.on('data', () => {
    stream.pause();
    setImmediate(() => stream.resume());
  });
  return hashAll(stream);
}

for (const reading of READINGS) {
  describe(`yamux over TCP, ${reading}`, () => {
    useReading(reading);
    const payloads = [
      { name: '0 bytes', payload: Buffer.alloc(0) },
      { name: '1 byte', payload: Buffer.from('x') },
      { name: '64 MiB', payload: Buffer.concat(Array<Buffer>(64).fill(randomBytes(MEBIBYTE))) },
    ];
    for (const { name, payload } of payloads) {
      it(`${name}, client first, answered after its half-close → equal both ways`, async () => {
        const accepted = Promise.withResolvers<YamuxStream>();
        await using pair = await openSessionPair({ onStream: accepted.resolve });
        const client = pair.dialler.openStream();
        client.end(payload);
        await client.accepted;
        const server = await accepted.promise;
        assert.equal(await hashAll(server), sha256(payload));
        const answer = hashAll(client);
        server.end(payload);
        assert.equal(await answer, sha256(payload));
        await until(() => pair.dialler.streams === 0 && pair.acceptor.streams === 0);
      });

      it(`${name}, server first, both halves closed in turn → equal both ways`, async () => {
        const received = Promise.withResolvers<string>();
        await using pair = await openSessionPair({
          onStream(server) {
            server.end(payload);
            hashAll(server).then(received.resolve, received.reject);
          },
        });
        const client = pair.dialler.openStream();
        assert.equal(await hashAll(client), sha256(payload));
        client.end(payload);
        assert.equal(await received.promise, sha256(payload));
        await until(() => pair.dialler.streams === 0 && pair.acceptor.streams === 0);
      });
    }

    it('500 streams at once, slow readers at both ends → equal by hash, nothing left', async () => {
      const payloads = Array.from({ length: 500 }, (_, index) => randomBytes(1 + index * 400));
      await using pair = await openSessionPair({
        onStream(server) {
          server.on('data', (piece: Buffer) => {
            if (!server.write(piece)) server.pause();
          });
          server.on('drain', () => server.resume());
          server.on('end', () => server.end());
        },
      });
      const hashes = payloads.map((payload) => {
        const client = pair.dialler.openStream();
        client.end(payload);
        return hashSlowly(client);
      });
      assert.deepEqual(await Promise.all(hashes), payloads.map(sha256));
      await until(() => pair.dialler.streams === 0 && pair.acceptor.streams === 0);
    });

    it('either end opens streams → both are served', async () => {
      await using pair = await openSessionPair();
      const streams = [pair.dialler.openStream(), pair.acceptor.openStream()];
      await Promise.all(streams.map((stream) => stream.accepted));
      assert.deepEqual(
        streams.map(({ id }) => id),
        [1, 2],
      );
    });

    it('a connection cut in the middle → ERR_STREAM_RESET at both ends, never an end', async () => {
      const accepted = Promise.withResolvers<YamuxStream>();
      await using pair = await openSessionPair({ onStream: accepted.resolve });
      const client = pair.dialler.openStream();
      client.end(Buffer.alloc(MEBIBYTE));
      const server = await accepted.promise;
      server.write('begun');
      await once(client, 'readable');
      const ends = [client, server].map((stream) => assert.rejects(hashAll(stream), { code: 'ERR_STREAM_RESET' }));
      pair.sockets[0].resetAndDestroy();
      await Promise.all(ends);
      assert.equal(((await pair.diallerClosed) as { code?: string }).code, 'ERR_STREAM_RESET');
      assert.equal(((await pair.acceptorClosed) as { code?: string }).code, 'ERR_STREAM_RESET');
      assert.ok(!client.readableEnded && !server.readableEnded);
      assert.equal(pair.dialler.streams + pair.acceptor.streams, 0);
    });

    it('a connection that ends by FIN with streams open → ERR_STREAM_RESET, never an end', async () => {
      const accepted = Promise.withResolvers<YamuxStream>();
      await using pair = await openSessionPair({ onStream: accepted.resolve });
      pair.dialler.openStream().write('begun');
      const server = await accepted.promise;
      const end = assert.rejects(hashAll(server), { code: 'ERR_STREAM_RESET' });
      pair.sockets[0].end();
      await end;
      assert.equal(server.readableEnded, false);
    });

    it('a reader that stalls → holds its window and no more, and holds up nobody else', async () => {
      const accepted: YamuxStream[] = [];
      await using pair = await openSessionPair({ onStream: (stream) => accepted.push(stream) });
      const payload = randomBytes(8 * MEBIBYTE);
      const stalled = pair.dialler.openStream();
      let writtenBytes = 0;
      const writePieces = (): void => {
        while (writtenBytes < payload.length && !stalled.writableNeedDrain) {
          stalled.write(payload.subarray(writtenBytes, writtenBytes + 10_000));
          writtenBytes = Math.min(payload.length, writtenBytes + 10_000);
        }
        if (writtenBytes === payload.length) stalled.end();
      };
      stalled.on('drain', writePieces);
      writePieces();
      await stalled.accepted;
      const lively = pair.dialler.openStream();
      lively.end(payload);
      await lively.accepted;
      const [first, second] = accepted;
      assert.ok(first && second);
      assert.equal(await hashAll(second), sha256(payload));
      assert.ok(writtenBytes >= WINDOW_BYTES && writtenBytes <= WINDOW_BYTES + STREAM_WRITE_BUFFER_BYTES + 10_000);
      assert.equal(await hashAll(first), sha256(payload));
    });

    it('reset → ERR_STREAM_RESET at the other end, other streams go on', async () => {
      const accepted: YamuxStream[] = [];
      await using pair = await openSessionPair({ onStream: (stream) => accepted.push(stream) });
      const [cut, kept] = [pair.dialler.openStream(), pair.dialler.openStream()];
      cut.write('x');
      await kept.accepted;
      const [first, second] = accepted;
      assert.ok(first && second);
      const lost = assert.rejects(hashAll(first), { code: 'ERR_STREAM_RESET' });
      cut.reset();
      await lost;
      kept.end('still here');
      assert.equal(await hashAll(second), sha256(Buffer.from('still here')));
    });

    it('streamsMax → the stream beyond is refused and counted, the others live', async () => {
      const [socket, other] = await openSocketPair();
      const shared = { onStream: () => {}, onClose: () => {} };
      const dialler = openYamux({ ...shared, socket, role: 'dialler', streamsMax: 100 });
      const acceptor = openYamux({ ...shared, socket: other, role: 'acceptor', streamsMax: 5 });
      const streams = Array.from({ length: 5 }, () => dialler.openStream());
      await assert.rejects(dialler.openStream().accepted, { code: 'ERR_STREAM_RESET' });
      await Promise.all(streams.map((stream) => stream.accepted));
      assert.equal(acceptor.streams, 5);
      assert.equal(acceptor.refusedStreams, 1);
      streams[0]?.reset();
      await dialler.openStream().accepted;
      dialler.destroy();
      acceptor.destroy();
    });

    it('close → clean at both ends once the last stream has ended', async () => {
      const accepted = Promise.withResolvers<YamuxStream>();
      await using pair = await openSessionPair({ onStream: accepted.resolve });
      const client = pair.dialler.openStream();
      const server = await accepted.promise;
      pair.dialler.close();
      await until(() => !pair.acceptor.takesStreams);
      assert.equal(pair.dialler.closed, false);
      const received = hashAll(server);
      client.end('last words');
      server.end();
      await hashAll(client);
      assert.equal(await received, sha256(Buffer.from('last words')));
      assert.equal(await pair.diallerClosed, undefined);
      assert.equal(await pair.acceptorClosed, undefined);
    });

    it('ping → a round trip; rttMs is known from then on', async () => {
      await using pair = await openSessionPair();
      const rttMs = await pair.dialler.ping();
      assert.ok(rttMs > 0 && rttMs < 5000);
      assert.equal(pair.dialler.rttMs, rttMs);
    });

    it('a peer that falls silent → ERR_TIMEOUT, streams are reset', async () => {
      const [socket, silent] = await openSocketPair();
      const closed = Promise.withResolvers<Error | undefined>();
      const session = openYamux({
        socket,
        role: 'dialler',
        streamsMax: 1,
        timings: { pingAfterMs: 50, deadAfterMs: 150 },
        onStream() {},
        onClose: closed.resolve,
      });
      const lost = assert.rejects(session.openStream().accepted, { code: 'ERR_STREAM_RESET' });
      assert.equal(((await closed.promise) as { code?: string }).code, 'ERR_TIMEOUT');
      await lost;
      silent.destroy();
    });

    it('two idle ends → stay alive', async () => {
      await using pair = await openSessionPair({ timings: { pingAfterMs: 10, deadAfterMs: 1000 } });
      const startMs = pair.dialler.lastReceivedMs;
      await until(() => pair.dialler.lastReceivedMs - startMs > 300);
      assert.ok(!pair.dialler.closed && !pair.acceptor.closed);
    });

    it('bytes that are not frames → ERR_MALFORMED, the connection is closed', async () => {
      for (const bytes of [randomBytes(4096), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(4096, 0xff)]) {
        if (bytes[0] === 0) bytes[0] = 1;
        const [socket, wire] = await openSocketPair();
        const closed = Promise.withResolvers<Error | undefined>();
        openYamux({ socket, role: 'acceptor', streamsMax: 1, onStream() {}, onClose: closed.resolve });
        wire.resume().end(bytes);
        assert.equal(((await closed.promise) as { code?: string }).code, 'ERR_MALFORMED');
        if (!wire.closed) await once(wire, 'close');
      }
    });
  });
}
