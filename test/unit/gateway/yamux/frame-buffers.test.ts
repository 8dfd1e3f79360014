import assert from 'node:assert/strict';
import { makeFrameBuffers } from '#src/gateway/yamux/frame-buffers.ts';
import { FRAME_TYPES, HEADER_BYTES, parseHeader } from '#src/gateway/yamux/frame.ts';
import { FRAME_ALONE_BYTES_MAX, FRAME_BYTES_MAX, POOLED_FRAME_BYTES_MIN } from '#src/gateway/yamux/limits.ts';

const headerOf = (length: number) => ({ type: FRAME_TYPES.data, flags: 0, streamId: 3, length });
const payloadOf = (length: number): Buffer => Buffer.alloc(length, 7);

describe('makeFrameBuffers', () => {
  const lengths = [
    1,
    POOLED_FRAME_BYTES_MIN - 1,
    POOLED_FRAME_BYTES_MIN,
    FRAME_BYTES_MAX,
    FRAME_BYTES_MAX + 1,
    FRAME_ALONE_BYTES_MAX,
    FRAME_ALONE_BYTES_MAX + 1,
  ];
  for (const length of lengths) {
    it(`${length} bytes in two pieces → header and payload in one`, () => {
      const payload = payloadOf(length);
      const pieces = [payload.subarray(0, 1), payload.subarray(1)];
      const { bytes } = makeFrameBuffers().fill(headerOf(length), pieces);
      assert.deepEqual(parseHeader(bytes), headerOf(length));
      assert.ok(bytes.subarray(HEADER_BYTES).equals(payload));
    });
  }

  it('sent → used again; not sent yet → not', () => {
    const buffers = makeFrameBuffers();
    const fill = () => buffers.fill(headerOf(FRAME_BYTES_MAX), [payloadOf(FRAME_BYTES_MAX)]);
    const [first, second] = [fill(), fill()];
    assert.notEqual(first.bytes.buffer, second.bytes.buffer);
    first.onSent?.();
    assert.equal(fill().bytes.buffer, first.bytes.buffer);
  });

  it('as many are kept as may be → further ones are not', () => {
    const buffers = makeFrameBuffers({ keptBytesMax: HEADER_BYTES + FRAME_BYTES_MAX });
    const fill = () => buffers.fill(headerOf(FRAME_BYTES_MAX), [payloadOf(FRAME_BYTES_MAX)]);
    const filled = [fill(), fill()];
    for (const { onSent } of filled) onSent?.();
    const again = [fill(), fill()].map(({ bytes }) => bytes.buffer);
    assert.deepEqual(
      filled.map(({ bytes }) => again.includes(bytes.buffer)),
      [true, false],
    );
  });

  it('short and long frames → memory of their own each, and one bound for both', () => {
    const keptBytesMax = 2 * HEADER_BYTES + FRAME_BYTES_MAX + FRAME_ALONE_BYTES_MAX;
    const buffers = makeFrameBuffers({ keptBytesMax });
    const fill = (length: number) => buffers.fill(headerOf(length), [payloadOf(length)]);
    const filled = [FRAME_BYTES_MAX, FRAME_ALONE_BYTES_MAX].map(fill);
    for (const { onSent } of filled) onSent?.();
    assert.equal(buffers.keptBytes, keptBytesMax);
    assert.ok(fill(FRAME_ALONE_BYTES_MAX).bytes.buffer === filled[1]?.bytes.buffer);
    assert.ok(fill(FRAME_BYTES_MAX).bytes.buffer === filled[0]?.bytes.buffer);
    assert.equal(buffers.keptBytes, 0);
  });

  it('a frame of any length → memory of at most twice as much', () => {
    const buffers = makeFrameBuffers();
    for (let length = POOLED_FRAME_BYTES_MIN; length <= FRAME_ALONE_BYTES_MAX; length += 1_000) {
      const { bytes } = buffers.fill(headerOf(length), [payloadOf(length)]);
      assert.ok(bytes.buffer.byteLength <= 2 * bytes.length, String(length));
    }
  });

  it('no room for another size → the others give way', () => {
    const shortBytes = HEADER_BYTES + FRAME_BYTES_MAX;
    const buffers = makeFrameBuffers({ keptBytesMax: 6 * shortBytes });
    const fill = (length: number) => buffers.fill(headerOf(length), [payloadOf(length)]);
    for (const { onSent } of Array.from({ length: 6 }, () => fill(FRAME_BYTES_MAX))) onSent?.();
    const long = fill(FRAME_ALONE_BYTES_MAX);
    long.onSent?.();
    assert.ok(buffers.keptBytes <= 6 * shortBytes);
    assert.ok(fill(FRAME_ALONE_BYTES_MAX).bytes.buffer === long.bytes.buffer);
  });

  it('no frame for a while → nothing is kept', async () => {
    const buffers = makeFrameBuffers({ idleMs: 1 });
    const { onSent } = buffers.fill(headerOf(FRAME_BYTES_MAX), [payloadOf(FRAME_BYTES_MAX)]);
    onSent?.();
    assert.equal(buffers.keptBytes, HEADER_BYTES + FRAME_BYTES_MAX);
    while (buffers.keptBytes > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('none may be kept → nothing to be told when it was sent', () => {
    const { onSent } = makeFrameBuffers({ keptBytesMax: 0 }).fill(headerOf(FRAME_BYTES_MAX), [
      payloadOf(FRAME_BYTES_MAX),
    ]);
    assert.equal(onSent, undefined);
  });
});
