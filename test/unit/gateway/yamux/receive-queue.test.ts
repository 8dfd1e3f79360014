import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RECEIVE_SLAB_BYTES_MAX } from '#src/gateway/yamux/limits.ts';
import { ReceiveQueue } from '#src/gateway/yamux/receive-queue.ts';

describe('ReceiveQueue', () => {
  it('any pieces, taken at any time → the same bytes in order, and an exact count', () => {
    const step = fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.constant('shift' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const queue = new ReceiveQueue();
        const sent: Buffer[] = [];
        const taken: Buffer[] = [];
        steps.forEach((step, index) => {
          const piece = step === 'shift' ? queue.shift() : Buffer.alloc(step, index);
          if (step === 'shift') taken.push(piece ?? Buffer.alloc(0));
          else if (piece !== undefined) {
            sent.push(piece);
            queue.add(piece);
          }
          assert.equal(queue.bytes, Buffer.concat(sent).length - Buffer.concat(taken).length);
        });
        for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) taken.push(piece);
        assert.ok(Buffer.concat(taken).equals(Buffer.concat(sent)));
      }),
    );
  });

  it('a window of single bytes → a few buffers, not one for each byte', () => {
    const queue = new ReceiveQueue();
    for (let index = 0; index < 256 * 1024; index += 1) queue.add(Buffer.from([index]));
    let pieces = 0;
    while (queue.shift() !== undefined) pieces += 1;
    assert.ok(pieces <= (256 * 1024) / RECEIVE_SLAB_BYTES_MAX + 8, `${pieces} pieces`);
  });

  it('frames of which each ends in some bytes → little more memory than bytes, and none when it is empty', () => {
    const queue = new ReceiveQueue();
    for (let frame = 0; frame < 4; frame += 1) {
      for (const length of [16_372, 16_384, 16_384, 16_384]) queue.add(Buffer.allocUnsafeSlow(length));
      queue.add(Buffer.alloc(12));
    }
    assert.ok(queue.memoryBytes < queue.bytes * 1.1, `${queue.memoryBytes} for ${queue.bytes}`);
    while (queue.shift() !== undefined);
    assert.deepEqual([queue.bytes, queue.memoryBytes], [0, 0]);
  });

  it('a small piece of a large chunk → does not keep the chunk', () => {
    const queue = new ReceiveQueue();
    queue.add(Buffer.alloc(64 * 1024).subarray(0, 5000));
    assert.ok((queue.shift()?.buffer.byteLength ?? Infinity) <= RECEIVE_SLAB_BYTES_MAX);
  });
});
