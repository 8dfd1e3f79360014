import assert from 'node:assert/strict';
import fc from 'fast-check';
import { makeBucket } from '#src/runtime/bucket.ts';

describe('makeBucket', () => {
  it('as many as fit → taken; one more → refused; later → as many as have come back', () => {
    let nowMs = 0;
    const bucket = makeBucket({ perSecondMax: 10, burstMax: 3, now: () => nowMs });
    const take = (count: number): boolean[] => Array.from({ length: count }, () => bucket.take());
    assert.deepEqual(take(4), [true, true, true, false]);
    nowMs = 200;
    assert.deepEqual(take(3), [true, true, false]);
    nowMs = 60_000;
    assert.deepEqual(take(4), [true, true, true, false]);
  });

  it('without a burst of its own → a second holds as many as the rate', () => {
    const bucket = makeBucket({ perSecondMax: 5, now: () => 0 });
    assert.equal(Array.from({ length: 9 }, () => bucket.take()).filter(Boolean).length, 5);
  });

  it('peak → the most that was used since the last look, then what is used now', () => {
    let nowMs = 0;
    const bucket = makeBucket({ perSecondMax: 10, now: () => nowMs });
    for (let count = 0; count < 5; count++) bucket.take();
    nowMs = 10_000;
    assert.equal(bucket.peak(), 0.5);
    assert.equal(bucket.peak(), 0);
  });

  it('any times → never more than the burst and what came back meanwhile', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 300 }), { maxLength: 200 }), (pauses) => {
        let nowMs = 0;
        let taken = 0;
        const bucket = makeBucket({ perSecondMax: 20, burstMax: 4, now: () => nowMs });
        for (const pauseMs of pauses) {
          nowMs += pauseMs;
          if (bucket.take()) taken++;
          assert.ok(taken <= 4 + (nowMs / 1_000) * 20 + 1e-6);
        }
      }),
    );
  });
});
