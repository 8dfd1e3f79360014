import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '#src/api/errors.ts';
import { WINDOW_BYTES_MAX } from '#src/gateway/yamux/limits.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { CONVERSATION, serveSomehow } from './conversations.ts';
import { openRawPeer } from './raw-peer.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('openYamux, frames that were spoiled', () => {
  it('at worst the session ends with an AppError; no stream is left, and nothing is held', async () => {
    await fc.assert(
      fc.asyncProperty(CONVERSATION, async ({ pieces }) => {
        const seen = new Set<YamuxStream>();
        const heldByStream = new Map<YamuxStream, number>();
        let queuedBytes = 0;
        let promisedBytes = 0;
        const peer = openRawPeer({
          streamsMax: 4,
          onStream(stream) {
            seen.add(stream);
            serveSomehow(stream);
          },
          conduct: {
            admits: (id) => id !== 9,
            refused: () => undefined,
            tolerates: () => true,
            onHeld: (stream) => heldByStream.set(stream, stream.heldBytes),
            onQueued: (bytes) => (queuedBytes = bytes),
            windowBytesMax: () => WINDOW_BYTES_MAX,
            onPromised: (fromBytes, toBytes) => (promisedBytes += toBytes - fromBytes),
          },
        });
        for (const stream of [peer.session.openStream(), peer.session.openStream()]) {
          seen.add(stream);
          serveSomehow(stream);
        }
        for (const piece of pieces) {
          peer.sendBytes(piece);
          await turn();
        }
        for (let count = 0; count < 5; count += 1) await turn();
        peer.session.destroy();
        assert.ok((await peer.closed) instanceof AppError);
        // What was complete before the end may still be read.
        for (const stream of seen) stream.resume();
        await peer.until(() => [...seen].every((stream) => stream.destroyed));
        assert.equal(peer.session.streams, 0);
        const held = [...heldByStream.values()].reduce((sum, bytes) => sum + bytes, 0);
        assert.deepEqual({ held, queuedBytes, promisedBytes }, { held: 0, queuedBytes: 0, promisedBytes: 0 });
      }),
      { numRuns: 60 },
    );
  });
});
