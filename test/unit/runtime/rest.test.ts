import assert from 'node:assert/strict';
import { makeRest } from '#src/runtime/rest.ts';

describe('makeRest', () => {
  it('after work of 40 ms → rests 120 ms, counted from its end; a change that comes alone waits for the shortest time', () => {
    let nowMs = 1_000;
    const rest = makeRest({ minMs: 10, clock: { nowMs: () => nowMs } });
    assert.equal(rest.delayMs(), 10);
    assert.equal(
      rest.time(() => ((nowMs += 40), 'done')),
      'done',
    );
    assert.equal(rest.delayMs(), 120);
    nowMs += 100;
    assert.equal(rest.delayMs(), 20);
    nowMs += 100;
    assert.equal(rest.delayMs(), 10);
  });

  it('a process that was stopped in the middle → rests 2 s and not minutes', () => {
    let nowMs = 0;
    const rest = makeRest({ minMs: 10, clock: { nowMs: () => nowMs } });
    rest.time(() => void (nowMs += 600_000));
    assert.equal(rest.delayMs(), 2_000);
    const short = makeRest({ minMs: 10, maxMs: 500, clock: { nowMs: () => nowMs } });
    short.time(() => void (nowMs += 600_000));
    assert.equal(short.delayMs(), 500);
  });

  it('work that throws → counts as well', () => {
    let nowMs = 0;
    const rest = makeRest({ minMs: 1, clock: { nowMs: () => nowMs } });
    const fail = (): void => {
      nowMs += 10;
      throw new Error('no');
    };
    assert.throws(() => rest.time(fail), /no/);
    assert.equal(rest.delayMs(), 30);
  });
});
