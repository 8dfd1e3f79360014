/** Sessions over paths that are long and narrow: full, and quick for those with little to say. */
import { once } from 'node:events';
import { openYamux, type YamuxSession } from '#src/gateway/yamux/session.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { WINDOW_INITIAL_BYTES } from '#src/gateway/yamux/limits.ts';
import { startPath } from '#test/support/path.ts';
import { waitFor } from '#test/support/wait.ts';
import { dial, listen, useReading } from './session-pair.ts';

interface LongPair extends AsyncDisposable {
  readonly dialler: YamuxSession;
  /** What the other end has received on the streams that `fill` has opened. */
  readonly arrivedBytes: () => number;
  /** Since any time, without what the path was held up. */
  readonly carriedMs: () => number;
}

/** Both ends have greeted as gateways do. After the control stream comes one that is echoed; the others are read. */
async function openLongPair(shape: {
  readonly roundTripMs: number;
  readonly bitsPerSecond: number;
}): Promise<LongPair> {
  const accepted = Promise.withResolvers<YamuxSession>();
  const greeted = Promise.withResolvers<YamuxStream>();
  let bytes = 0;
  const windows = { receiveBytes: WINDOW_INITIAL_BYTES, sendBytes: WINDOW_INITIAL_BYTES };
  const shared = { streamsMax: 10, onClose: () => undefined };
  const { server, port } = await listen((socket) => {
    const session = openYamux({
      ...shared,
      socket,
      role: 'acceptor',
      onStream(stream) {
        if (stream.id === 1) greeted.resolve(stream);
        else if (stream.id === 3) stream.on('data', (piece: Buffer) => stream.write(piece));
        else stream.on('data', (piece: Buffer) => void (bytes += piece.length));
      },
    });
    accepted.resolve(session);
  });
  const path = await startPath({ ...shape, port });
  const socket = await dial(path.port);
  const dialler = openYamux({ ...shared, socket, role: 'dialler', onStream: () => undefined });
  const control = dialler.openStream();
  await control.accepted;
  dialler.beginWith(windows, control);
  const acceptor = await accepted.promise;
  acceptor.beginWith(windows, await greeted.promise);
  await Promise.all([dialler.ping(), acceptor.ping()]);
  return {
    dialler,
    arrivedBytes: () => bytes,
    carriedMs: () => performance.now() - path.heldUpMs,
    async [Symbol.asyncDispose]() {
      dialler.destroy();
      acceptor.destroy();
      await path.close();
      server.close();
      await once(server, 'close');
    },
  };
}

function fill(stream: YamuxStream): void {
  const piece = Buffer.alloc(64 * 1024, 7);
  const write = (): void => {
    while (!stream.destroyed && stream.write(piece));
  };
  stream.on('drain', write);
  write();
}

/** How long 64 bytes take there and back, again and again. */
async function exchange(stream: YamuxStream, times: number): Promise<number[]> {
  const took: number[] = [];
  for (let time = 0; time < times; time++) {
    const sentMs = performance.now();
    stream.write(Buffer.alloc(64));
    await once(stream, 'data');
    took.push(performance.now() - sentMs);
  }
  return took;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Infinity;
}

describe('a session over a long path', () => {
  useReading('into slabs');

  for (const shape of [
    { roundTripMs: 50, bitsPerSecond: 100e6 },
    { roundTripMs: 100, bitsPerSecond: 200e6 },
  ]) {
    const { roundTripMs, bitsPerSecond } = shape;
    it(`${bitsPerSecond / 1e6} Mbit/s, ${roundTripMs} ms, one stream → fills it; an exchange and a ping beside it wait for little more`, async () => {
      await using pair = await openLongPair(shape);
      const echo = pair.dialler.openStream();
      await echo.accepted;
      const quietMs = median(await exchange(echo, 5));
      fill(pair.dialler.openStream());
      // It takes some round trips to be as fast as that; and a busy machine may hold up the relay itself for a while.
      const bytesPerMs = bitsPerSecond / 8 / 1000;
      let [sinceMs, sinceBytes] = [pair.carriedMs(), 0];
      await waitFor('the path is full', () => {
        const ms = pair.carriedMs() - sinceMs;
        if (ms < 500) return false;
        const isFull = (pair.arrivedBytes() - sinceBytes) / ms > 0.9 * bytesPerMs;
        [sinceMs, sinceBytes] = [pair.carriedMs(), pair.arrivedBytes()];
        return isFull;
      });
      await waitFor('an exchange is quick', async () => median(await exchange(echo, 9)) <= quietMs + 50);
      await waitFor('a ping is quick', async () => (await pair.dialler.ping()) <= quietMs + 50);
    }).timeout(40_000);
  }
});
