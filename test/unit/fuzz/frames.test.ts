/** Frames of sessions that are almost right. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { encodeHeader, FLAGS, FRAME_TYPES, HEADER_BYTES, makeFrameDecoder } from '#src/gateway/yamux/frame.ts';
import { WINDOW_BYTES } from '#src/gateway/yamux/limits.ts';
import { cut } from '../gateway/chunks.ts';
import { openRawPeer } from '../gateway/yamux/raw-peer.ts';
import { attempt, mutated } from './mutations.ts';

const STREAMS_MAX = 10;
/** Ids of both sides, and some that nobody opened; 0 is for frames of no stream. */
const streamId = fc.integer({ min: 0, max: 2 * STREAMS_MAX + 4 });
const flags = fc.constantFrom(
  0,
  FLAGS.syn,
  FLAGS.ack,
  FLAGS.fin,
  FLAGS.rst,
  FLAGS.syn | FLAGS.fin,
  FLAGS.fin | FLAGS.rst,
);
const frame = fc.oneof(
  fc
    .tuple(flags, streamId, fc.integer({ min: 0, max: 600 }))
    .map(([flags, streamId, length]) =>
      Buffer.concat([
        encodeHeader({ type: FRAME_TYPES.data, flags, streamId, length }),
        Buffer.alloc(length, streamId),
      ]),
    ),
  fc
    .tuple(
      fc.constantFrom(...Object.values(FRAME_TYPES)),
      flags,
      streamId,
      fc.constantFrom(0, 1, 600, WINDOW_BYTES, 0xffff_ffff),
    )
    .map(([type, flags, streamId, length]) => encodeHeader({ type, flags, streamId, length })),
);
const frames = fc.array(frame, { minLength: 1, maxLength: 12 }).map((all) => Buffer.concat(all));
const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 40 }));

interface Decoded {
  /** Headers and ends of frames in order; what stands between a header and its end is payload. */
  readonly events: string[];
  readonly payloadBytes: number;
}

function decode(chunks: readonly Buffer[]): Decoded & { readonly end: unknown } {
  const events: string[] = [];
  let payload = '';
  let payloadBytes = 0;
  const decoder = makeFrameDecoder({
    onHeader: (header) => void events.push(JSON.stringify(header)),
    onPayload(bytes) {
      payload += bytes.toString('hex');
      payloadBytes += bytes.length;
    },
    onFrameEnd() {
      events.push(`end ${payload}`);
      payload = '';
    },
  });
  const result = attempt(() => chunks.forEach((chunk) => decoder.push(chunk)));
  return { events, payloadBytes, end: 'code' in result ? result : 'more' };
}

describe('fuzz: makeFrameDecoder', () => {
  it('frames with something wrong → ERR_MALFORMED or frames, no more payload than bytes; the same however they are cut', () => {
    fc.assert(
      fc.property(fc.oneof(frames, mutated(frames)), cuts, (bytes, cuts) => {
        const whole = decode([bytes]);
        assert.deepEqual(decode(cut(bytes, cuts)), whole);
        assert.ok(whole.payloadBytes <= bytes.length && whole.events.length <= 2 * (bytes.length / HEADER_BYTES + 1));
        if (whole.end !== 'more') assert.equal((whole.end as { code: unknown }).code, 'ERR_MALFORMED');
      }),
      { numRuns: 300 },
    );
  });
});

describe('fuzz: openYamux', () => {
  it('any order of frames, right or wrong → open within its bounds, or ended with a reason and no stream left', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(frames, mutated(frames)), cuts, async (bytes, cuts) => {
        const peer = openRawPeer({ streamsMax: STREAMS_MAX });
        let end: { readonly error: Error | undefined } | undefined;
        void peer.closed.then((error) => (end = { error }));
        for (const chunk of cut(bytes, cuts)) peer.sendBytes(chunk);
        await turn();
        await turn();
        assert.ok(peer.session.streams <= STREAMS_MAX);
        // Nobody reads: what is held of a stream never exceeds the window that it was given.
        for (const stream of peer.streams) assert.ok(stream.readableLength <= WINDOW_BYTES);
        if (end !== undefined) {
          // A peer may also say good bye, with a reason or without.
          const { code } = (end.error ?? {}) as { code?: string };
          assert.ok(code === undefined || code === 'ERR_MALFORMED' || code === 'ERR_STREAM_RESET', String(end.error));
          assert.equal(peer.session.streams, 0);
        }
        peer.session.destroy();
        await peer.closed;
      }),
      { numRuns: 200 },
    );
  });
});
