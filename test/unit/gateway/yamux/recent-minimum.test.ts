import assert from 'node:assert/strict';
import { makeRecentMinimum } from '#src/gateway/yamux/recent-minimum.ts';

describe('makeRecentMinimum', () => {
  it('nothing measured → undefined; then the least', () => {
    const least = makeRecentMinimum(100);
    assert.equal(least.value, undefined);
    for (const value of [5, 3, 4]) least.add(value, 0);
    assert.equal(least.value, 3);
  });

  it('a span later → still the least of both; two spans later → what was measured since', () => {
    const least = makeRecentMinimum(100);
    least.add(3, 0);
    least.add(5, 100);
    assert.equal(least.value, 3);
    least.add(6, 199);
    assert.equal(least.value, 3);
    least.add(7, 200);
    assert.equal(least.value, 5);
  });

  it('nothing measured for long → the last known', () => {
    const least = makeRecentMinimum(100);
    least.add(3, 0);
    assert.equal(least.value, 3);
    least.add(9, 10_000);
    assert.equal(least.value, 3);
    least.add(9, 20_000);
    assert.equal(least.value, 9);
  });
});
