import assert from 'node:assert/strict';
import { makePace } from '#src/exchange/pace.ts';
import { makeManualClock } from './samples.ts';

describe('makePace', () => {
  it('as many turns as the burst at once, then one in each interval; other keys have their own', () => {
    const clock = makeManualClock(1_000);
    const pace = makePace({ intervalMs: 250, burst: 2, clock });
    assert.deepEqual([pace.take('east'), pace.take('east'), pace.take('east'), pace.take('west')], [0, 0, 250, 0]);
    clock.advance(249);
    assert.equal(pace.take('east'), 1);
    clock.advance(1);
    assert.deepEqual([pace.take('east'), pace.take('east')], [0, 250]);
  });

  it('quiet for long → the burst again, and no more', () => {
    const clock = makeManualClock(0);
    const pace = makePace({ intervalMs: 250, burst: 2, clock });
    pace.take('east');
    clock.advance(60_000);
    assert.deepEqual([pace.take('east'), pace.take('east'), pace.take('east')], [0, 0, 250]);
  });

  it('forgotten → its turns at once', () => {
    const pace = makePace({ intervalMs: 250, burst: 1, clock: makeManualClock(0) });
    pace.take('east');
    pace.forget('east');
    assert.equal(pace.take('east'), 0);
  });
});
