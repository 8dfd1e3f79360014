/** Thousands of readers that take nothing, each fed byte by byte, beside streams that are read: memory stays bounded. */
import assert from 'node:assert/strict';
import { makeAccount } from '#src/gateway/account.ts';
import { BUFFER_BYTES_MAX, PEER_BUFFER_BYTES_MAX, STREAM_BYTES } from '#src/gateway/limits.ts';
import { makeSessionMemory } from '#src/gateway/session-memory.ts';
import { makeWindowBudget } from '#src/gateway/window-budget.ts';
import { encodeHeader, FLAGS, FRAME_TYPES } from '#src/gateway/yamux/frame.ts';
import { WINDOW_BYTES } from '#src/gateway/yamux/limits.ts';
import { openYamux, type YamuxSession } from '#src/gateway/yamux/session.ts';
import { openSocketPair, until, useReading } from './session-pair.ts';

const SESSIONS = ['east', 'east', 'east', 'west', 'west'];
const READERS_PER_SESSION = 2_000;
const ROUNDS = 40;
const BULK_STREAM = 1;
const BULK_BYTES = 64 * 1024;

const frame = (streamId: number, payload: Buffer, flags = 0): Buffer =>
  Buffer.concat([encodeHeader({ type: FRAME_TYPES.data, flags, streamId, length: payload.length }), payload]);

/** All streams opened; then, again and again, a byte for each of the stalled ones, and bulk. */
function* feed(): Generator<Buffer, void> {
  const ids = Array.from({ length: READERS_PER_SESSION }, (_, index) => BULK_STREAM + 2 + 2 * index);
  const bulk = frame(BULK_STREAM, Buffer.alloc(BULK_BYTES));
  yield Buffer.concat([BULK_STREAM, ...ids].map((id) => frame(id, Buffer.alloc(0), FLAGS.syn)));
  const bytes = Buffer.concat(ids.map((id) => frame(id, Buffer.from('x'))));
  for (let round = 0; round < ROUNDS; round++) yield Buffer.concat([bytes, bulk]);
}

describe('stalled readers', () => {
  useReading('into slabs');

  it(`${SESSIONS.length * READERS_PER_SESSION} of them, fed frames of 1 byte between bulk → memory inside the budget, nobody cut, bulk arrives`, async () => {
    const account = makeAccount();
    const windows = makeWindowBudget();
    const before = process.memoryUsage.rss();
    const sessions: YamuxSession[] = [];
    const errors: unknown[] = [];
    let bulkBytes = 0;
    let stalled = 0;
    const sockets = await Promise.all(
      SESSIONS.map(async (peer) => {
        const [socket, wire] = await openSocketPair();
        const memory = makeSessionMemory({
          account: account.of(peer),
          mayEvict: () => true,
          evict: (stream) => stream.reset(),
        });
        const promised = windows.of(peer);
        const session = openYamux({
          socket,
          role: 'acceptor',
          streamsMax: READERS_PER_SESSION + 1,
          onStream(stream) {
            if (stream.id !== BULK_STREAM) stalled++;
            else stream.on('data', (piece: Buffer) => void (bulkBytes += piece.length));
          },
          onClose(error) {
            errors.push(error);
            memory.close();
          },
          conduct: {
            admits: () => true,
            refused: (id) => errors.push(id),
            tolerates: () => true,
            onHeld: memory.onHeld,
            onQueued: memory.onQueued,
            windowBytesMax: (beyondBytes) => WINDOW_BYTES + promised.allowance(beyondBytes),
            onPromised: (from, to) => promised.change(from, to),
          },
        });
        sessions.push(session);
        wire.resume();
        for (const bytes of feed()) {
          if (!wire.write(bytes)) await new Promise((resolve) => wire.once('drain', resolve));
          assert.ok(account.of(peer).bytes <= PEER_BUFFER_BYTES_MAX);
        }
        return wire;
      }),
    );
    await until(() => bulkBytes === SESSIONS.length * ROUNDS * BULK_BYTES);
    assert.equal(stalled, SESSIONS.length * READERS_PER_SESSION);
    assert.deepEqual(errors, []);
    const open = sessions.reduce((sum, { streams }) => sum + streams, 0);
    assert.equal(open, stalled + SESSIONS.length);
    assert.ok(account.bytes > open * STREAM_BYTES && account.bytes <= BUFFER_BYTES_MAX, String(account.bytes));
    const grown = process.memoryUsage.rss() - before;
    assert.ok(grown <= BUFFER_BYTES_MAX, `${Math.round(grown / 1024 ** 2)} MiB`);
    for (const session of sessions) session.destroy();
    for (const wire of sockets) wire.destroy();
    assert.equal(account.bytes, 0);
    assert.equal(windows.bytes, 0);
  }).timeout(15_000);
});
