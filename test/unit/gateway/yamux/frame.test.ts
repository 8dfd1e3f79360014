import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '#src/api/errors.ts';
import {
  encodeHeader,
  FLAGS,
  FRAME_TYPES,
  type FrameHeader,
  HEADER_BYTES,
  makeFrameDecoder,
  parseHeader,
} from '#src/gateway/yamux/frame.ts';
import { WINDOW_BYTES_MAX } from '#src/gateway/yamux/limits.ts';
import { cut } from '../chunks.ts';

interface Frame {
  header: FrameHeader;
  payload: Buffer;
}

/** Decodes chunks into whole frames. */
function decode(chunks: readonly Buffer[]): Frame[] {
  const frames: Frame[] = [];
  let pieces: Buffer[] = [];
  const decoder = makeFrameDecoder({
    onHeader: () => (pieces = []),
    onPayload: (bytes) => pieces.push(bytes),
    onFrameEnd: (header) => frames.push({ header, payload: Buffer.concat(pieces) }),
  });
  for (const chunk of chunks) decoder.push(chunk);
  return frames;
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const streamId = fc.integer({ min: 1, max: 0xffff_ffff });
const flags = fc.integer({ min: 0, max: 15 });
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.tuple(flags, streamId, fc.uint8Array({ maxLength: 300 })).map(([flags, streamId, bytes]) => ({
    header: { type: FRAME_TYPES.data, flags, streamId, length: bytes.length },
    payload: Buffer.from(bytes),
  })),
  fc.tuple(flags, streamId, u32).map(([flags, streamId, length]) => ({
    header: { type: FRAME_TYPES.windowUpdate, flags, streamId, length },
    payload: Buffer.alloc(0),
  })),
  fc.tuple(fc.constantFrom(FLAGS.syn, FLAGS.ack), u32).map(([flags, length]) => ({
    header: { type: FRAME_TYPES.ping, flags, streamId: 0, length },
    payload: Buffer.alloc(0),
  })),
  u32.map((length) => ({
    header: { type: FRAME_TYPES.goAway, flags: 0, streamId: 0, length },
    payload: Buffer.alloc(0),
  })),
);

describe('encodeHeader', () => {
  it('a window update → 12 bytes, big endian', () => {
    const bytes = encodeHeader({ type: FRAME_TYPES.windowUpdate, flags: FLAGS.syn, streamId: 3, length: 0x10000 });
    assert.equal(bytes.toString('hex'), '000100010000000300010000');
  });
});

describe('makeFrameDecoder', () => {
  it('any frames, cut anywhere → the same frames', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 20 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames.flatMap(({ header, payload }) => [encodeHeader(header), payload]));
          assert.deepEqual(decode(cut(bytes, cuts)), frames);
        },
      ),
    );
  });

  it('any bytes → frames or ERR_MALFORMED, nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decode([Buffer.from(bytes)]);
        } catch (error) {
          assert.ok(error instanceof AppError && error.code === 'ERR_MALFORMED');
        }
      }),
    );
  });
});

describe('parseHeader', () => {
  const bad: { name: string; hex: string }[] = [
    { name: 'version 1', hex: '010000000000000100000000' },
    { name: 'type 4', hex: '000400000000000100000000' },
    { name: 'an unknown flag', hex: '000100100000000100000000' },
    { name: 'data on stream 0', hex: '000000000000000000000000' },
    { name: 'window update on stream 0', hex: '000100000000000000000000' },
    { name: 'ping on a stream', hex: '000200010000000100000000' },
    { name: 'ping without a flag', hex: '000200000000000000000000' },
    { name: 'ping that asks and answers', hex: '000200030000000000000000' },
    { name: 'go away on a stream', hex: '000300000000000100000000' },
    { name: 'data one byte above the largest window', hex: '000000000000000102000001' },
    { name: 'a TLS record', hex: '160301020001000001fc0303' },
    { name: 'an HTTP request', hex: Buffer.from('GET / HTTP/1').toString('hex') },
  ];
  for (const { name, hex } of bad) {
    it(`${name} → ERR_MALFORMED`, () => {
      assert.equal(hex.length, 2 * HEADER_BYTES);
      assert.throws(() => parseHeader(Buffer.from(hex, 'hex')), { code: 'ERR_MALFORMED' });
    });
  }

  it('data of the largest window → accepted', () => {
    assert.equal(parseHeader(Buffer.from('000000000000000102000000', 'hex')).length, WINDOW_BYTES_MAX);
  });
});
