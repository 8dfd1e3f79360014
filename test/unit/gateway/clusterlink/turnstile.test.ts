import assert from 'node:assert/strict';
import { makeTurnstile } from '#src/gateway/clusterlink/turnstile.ts';

const LONG_MS = 10_000;

describe('makeTurnstile', () => {
  it('as many as may pass → at once; the next ones in the order of their coming', async () => {
    const turnstile = makeTurnstile({ atOnceMax: 2, waitingMax: 2 });
    const first = await turnstile.enter(LONG_MS);
    const second = await turnstile.enter(LONG_MS);
    const order: string[] = [];
    const third = turnstile.enter(LONG_MS).then((leave) => (order.push('third'), leave));
    const fourth = turnstile.enter(LONG_MS).then((leave) => (order.push('fourth'), leave));
    assert.equal(turnstile.waiting, 2);
    second?.();
    // Twice is once.
    second?.();
    const leaveThird = await third;
    assert.deepEqual(order, ['third']);
    first?.();
    (await fourth)?.();
    leaveThird?.();
    assert.deepEqual(order, ['third', 'fourth']);
    assert.equal(typeof (await turnstile.enter(LONG_MS)), 'function');
  });

  it('the line is full → refused at once; its time is over → refused, and its place is free', async () => {
    const turnstile = makeTurnstile({ atOnceMax: 1, waitingMax: 1 });
    const leave = await turnstile.enter(LONG_MS);
    const late = turnstile.enter(5);
    assert.equal(await turnstile.enter(LONG_MS), undefined);
    assert.equal(await late, undefined);
    assert.equal(turnstile.waiting, 0);
    const next = turnstile.enter(LONG_MS);
    leave?.();
    assert.equal(typeof (await next), 'function');
  });
});
