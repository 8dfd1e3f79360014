import assert from 'node:assert/strict';
import { makeFrameBuffers } from '#src/gateway/yamux/frame-buffers.ts';
import { FRAME_TYPES, HEADER_BYTES, parseHeader } from '#src/gateway/yamux/frame.ts';
import { FRAME_BYTES_MAX, POOLED_FRAME_BYTES_MIN } from '#src/gateway/yamux/limits.ts';

const headerOf = (length: number) => ({ type: FRAME_TYPES.data, flags: 0, streamId: 3, length });
const payloadOf = (length: number): Buffer => Buffer.alloc(length, 7);

describe('makeFrameBuffers', () => {
  for (const length of [1, POOLED_FRAME_BYTES_MIN - 1, POOLED_FRAME_BYTES_MIN, FRAME_BYTES_MAX]) {
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
    const buffers = makeFrameBuffers({ buffersMax: 1 });
    const fill = () => buffers.fill(headerOf(FRAME_BYTES_MAX), [payloadOf(FRAME_BYTES_MAX)]);
    const filled = [fill(), fill()];
    for (const { onSent } of filled) onSent?.();
    const again = [fill(), fill()].map(({ bytes }) => bytes.buffer);
    assert.deepEqual(
      filled.map(({ bytes }) => again.includes(bytes.buffer)),
      [true, false],
    );
  });

  it('none may be kept → nothing to be told when it was sent', () => {
    const { onSent } = makeFrameBuffers({ buffersMax: 0 }).fill(headerOf(FRAME_BYTES_MAX), [
      payloadOf(FRAME_BYTES_MAX),
    ]);
    assert.equal(onSent, undefined);
  });
});
