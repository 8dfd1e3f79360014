import assert from 'node:assert/strict';
import { BATCH_BYTES_MAX, BATCH_BYTES_MIN } from '#src/gateway/yamux/limits.ts';
import { makeSendMemory } from '#src/gateway/yamux/send-memory.ts';

describe('makeSendMemory', () => {
  it('any size → as much, and at most four times as much, or the least there is', () => {
    const memory = makeSendMemory();
    for (let bytes = 1; bytes <= BATCH_BYTES_MAX; bytes += 997) {
      const { length } = memory.take(bytes);
      assert.ok(length >= bytes && length <= Math.max(BATCH_BYTES_MIN, 4 * bytes), `${bytes}: ${length}`);
    }
    assert.equal(memory.take(BATCH_BYTES_MAX).length, BATCH_BYTES_MAX);
    assert.throws(() => memory.take(BATCH_BYTES_MAX + 1), RangeError);
  });

  it('come back → used again; not yet → not', () => {
    const memory = makeSendMemory();
    const [first, second] = [memory.take(1), memory.take(1)];
    assert.notEqual(first.buffer, second.buffer);
    memory.giveBack(first);
    assert.equal(memory.take(BATCH_BYTES_MIN).buffer, first.buffer);
  });

  it('as much is kept as may be → further memory is not', () => {
    const memory = makeSendMemory({ keptBytesMax: BATCH_BYTES_MAX });
    const taken = [memory.take(BATCH_BYTES_MAX), memory.take(BATCH_BYTES_MAX)];
    for (const each of taken) memory.giveBack(each);
    assert.equal(memory.keptBytes, BATCH_BYTES_MAX);
    const again = [memory.take(BATCH_BYTES_MAX), memory.take(BATCH_BYTES_MAX)];
    assert.deepEqual(
      taken.map((each) => again.includes(each)),
      [true, false],
    );
  });

  it('no room for another size → the others give way', () => {
    const keptBytesMax = BATCH_BYTES_MAX + BATCH_BYTES_MIN;
    const memory = makeSendMemory({ keptBytesMax });
    const small = Array.from({ length: 10 }, () => memory.take(1));
    for (const each of small) memory.giveBack(each);
    assert.equal(memory.keptBytes, 10 * BATCH_BYTES_MIN);
    const large = memory.take(BATCH_BYTES_MAX);
    memory.giveBack(large);
    assert.ok(memory.keptBytes <= keptBytesMax);
    assert.equal(memory.take(BATCH_BYTES_MAX).buffer, large.buffer);
  });

  it('not used for a while → nothing is kept', async () => {
    const memory = makeSendMemory({ idleMs: 1 });
    memory.giveBack(memory.take(1));
    assert.equal(memory.keptBytes, BATCH_BYTES_MIN);
    while (memory.keptBytes > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('nothing may be kept → nothing is', () => {
    const memory = makeSendMemory({ keptBytesMax: 0 });
    memory.giveBack(memory.take(1));
    assert.equal(memory.keptBytes, 0);
  });
});
