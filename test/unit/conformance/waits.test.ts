import assert from 'node:assert/strict';
import { Interrupted, TestFailure } from '#test/conformance/outcome.ts';
import { consistently, eventually, type Clock, type Wait } from '#test/conformance/waits.ts';

/** Time passes only while something sleeps. */
function makeClock(): Clock & { slept: number[] } {
  let nowMs = 0;
  const slept: number[] = [];
  return {
    slept,
    nowMs: () => nowMs,
    sleep: (ms) => {
      slept.push(ms);
      nowMs += ms;
      return Promise.resolve();
    },
  };
}

const makeWait = (changes: Partial<Wait> = {}) => {
  const clock = makeClock();
  const wait: Wait = {
    what: 'it',
    durationMs: 250,
    pollMs: 100,
    signal: new AbortController().signal,
    clock,
    ...changes,
  };
  return { clock, wait };
};
const failing = (message: string) => () => Promise.reject(new Error(message));

describe('eventually', () => {
  it('so at the third look → its value after two pauses', async () => {
    const { clock, wait } = makeWait();
    let looks = 0;
    const value = await eventually(wait, () => {
      looks += 1;
      return looks < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve('yes');
    });
    assert.equal(value, 'yes');
    assert.deepEqual(clock.slept, [100, 100]);
  });

  it('never so → one more look at the deadline, then a failure with the last reason', async () => {
    const { clock, wait } = makeWait({ nonConformance: 'broken' });
    await assert.rejects(eventually(wait, failing('still not')), (error) => {
      assert.ok(error instanceof TestFailure);
      assert.equal(error.message, 'it: not so after 0.25 s; last: still not');
      assert.equal(error.nonConformance, 'broken');
      return true;
    });
    assert.deepEqual(clock.slept, [100, 100, 50]);
  });

  it('interrupted → no further look', async () => {
    const { wait } = makeWait({ signal: AbortSignal.abort() });
    await assert.rejects(
      eventually(wait, () => Promise.resolve()),
      Interrupted,
    );
  });
});

describe('consistently', () => {
  it('so all the time → looked at from the beginning to the end', async () => {
    const { wait } = makeWait();
    let looks = 0;
    await consistently(wait, () => Promise.resolve(void (looks += 1)));
    assert.equal(looks, 4);
  });

  it('a moment not so → failure at once, with the text of non-conformance', async () => {
    const { wait } = makeWait({ nonConformance: 'broken' });
    let looks = 0;
    const check = () => {
      looks += 1;
      return looks === 2 ? Promise.reject(new TestFailure('gone')) : Promise.resolve();
    };
    await assert.rejects(consistently(wait, check), {
      message: 'it: not so after 100 ms: gone',
      nonConformance: 'broken',
    });
    assert.equal(looks, 2);
  });

  it('a request that fails → a failure that speaks against nobody', async () => {
    const { wait } = makeWait({ nonConformance: 'broken' });
    await assert.rejects(consistently(wait, failing('HTTP 500')), { nonConformance: '' });
  });
});
