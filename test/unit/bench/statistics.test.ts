import assert from 'node:assert/strict';
import fc from 'fast-check';
import { median, quantile, rangeOf, ratio, shuffle, significant, spread } from '#test/bench/statistics.ts';

const NUMBERS = fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 });

describe('median', () => {
  for (const [values, expected] of [
    [[], undefined],
    [[7], 7],
    [[9, 1], 5],
    [[3, 1, 2], 2],
    [[10, 1, 2, 9], 5.5],
  ] as const) {
    it(`of ${JSON.stringify(values)} → ${expected}`, () => assert.equal(median(values), expected));
  }

  it('any numbers → no more than half of them below it, no more than half above', () => {
    fc.assert(
      fc.property(NUMBERS, (values) => {
        const middle = median(values) ?? NaN;
        assert.ok(values.filter((value) => value < middle).length <= values.length / 2);
        assert.ok(values.filter((value) => value > middle).length <= values.length / 2);
      }),
    );
  });
});

describe('quantile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  for (const [values, share, expected] of [
    [[], 0.5, undefined],
    [[5], 0.99, 5],
    [[5], 0, 5],
    [hundred, 0.5, 50],
    [hundred, 0.99, 99],
    [hundred, 0.991, 100],
    [hundred, 1, 100],
  ] as const) {
    it(`${share} of ${values.length} → ${expected}`, () => assert.equal(quantile(values, share), expected));
  }

  it('any numbers → one of them, and a greater share is never less', () => {
    fc.assert(
      fc.property(
        NUMBERS,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, a, b) => {
          const [low, high] = [Math.min(a, b), Math.max(a, b)].map((share) => quantile(values, share) ?? NaN);
          assert.ok(values.includes(low ?? NaN) && values.includes(high ?? NaN));
          assert.ok((low ?? NaN) <= (high ?? NaN));
        },
      ),
    );
  });
});

describe('rangeOf', () => {
  it('nothing → undefined', () => assert.equal(rangeOf([]), undefined));
  it('some → the least and the greatest', () => assert.deepEqual(rangeOf([2, 3, 1]), { least: 1, greatest: 3 }));
});

describe('spread', () => {
  for (const [values, expected] of [
    [[], 0],
    [[4], 0],
    [[0, 0], 0],
    [[10, 9, 11], 0.2],
    [[-1, 0, 1], Infinity],
  ] as const) {
    it(`of ${JSON.stringify(values)} → ${expected}`, () => assert.equal(spread(values), expected));
  }
});

describe('ratio', () => {
  for (const [ours, rivals, expected] of [
    [1, 2, 0.5],
    [0, 2, 0],
    [undefined, 2, undefined],
    [1, undefined, undefined],
    [1, 0, undefined],
    [1, -1, undefined],
    [NaN, 1, undefined],
  ] as const) {
    it(`${ours} by ${rivals} → ${expected}`, () => assert.equal(ratio(ours, rivals), expected));
  }
});

describe('significant', () => {
  it('more digits than it deserves → four', () => assert.equal(significant(1234.5678), 1235));
  it('a small one → four from the first that is not 0', () => assert.equal(significant(0.00123456), 0.001235));
  it('fewer → as it is', () => assert.equal(significant(0.5), 0.5));
});

describe('shuffle', () => {
  it('chance says always 0 → an order that differs, the given list stays', () => {
    const given = [1, 2, 3, 4];
    assert.deepEqual(
      shuffle(given, () => 0),
      [2, 3, 4, 1],
    );
    assert.deepEqual(given, [1, 2, 3, 4]);
  });
  it('chance says always almost 1 → the same order', () => {
    assert.deepEqual(
      shuffle([1, 2, 3], () => 0.999_999),
      [1, 2, 3],
    );
  });
  it('any list → the same members', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (values) => {
        const byValue = (a: number, b: number): number => a - b;
        assert.deepEqual([...shuffle(values, Math.random)].sort(byValue), [...values].sort(byValue));
      }),
    );
  });
  it('three, over and over → each of the six orders comes', () => {
    const seen = new Set(Array.from({ length: 600 }, () => shuffle(['a', 'b', 'c'], Math.random).join('')));
    assert.equal(seen.size, 6);
  });
});
