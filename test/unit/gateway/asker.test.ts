import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { setTimeout as passed } from 'node:timers/promises';
import { anyOf, askerOf, limitAsker, signalOf } from '#src/gateway/asker.ts';
import { makeAsker } from '#test/support/asker.ts';
import { countKept, KEPT_FEW } from '#test/support/kept.ts';

describe('askerOf', () => {
  it('its stream closes → gone, and told once', async () => {
    const stream = new PassThrough();
    const asker = askerOf(stream);
    let told = 0;
    asker.onGone(() => told++);
    const forget = asker.onGone(() => assert.fail('nobody waits for it any more'));
    forget();
    assert.equal(asker.isGone, false);
    const closed = new Promise((resolve) => stream.once('close', resolve));
    stream.destroy();
    assert.equal(asker.isGone, true);
    await closed;
    assert.equal(told, 1);
  });
});

describe('anyOf', () => {
  it('either of two leaves → gone, and all who still wait are told', () => {
    for (const leaver of [0, 1]) {
      const askers = [makeAsker(), makeAsker()];
      const either = anyOf(...askers);
      let told = 0;
      either.onGone(() => told++);
      const forget = either.onGone(() => assert.fail('nobody waits for it any more'));
      forget();
      assert.equal(either.isGone, false);
      askers[leaver]?.leave();
      assert.deepEqual([either.isGone, told], [true, 1]);
    }
  });

  it('ended → nobody is told of anything', () => {
    const [one, other] = [makeAsker(), makeAsker()];
    const either = anyOf(one, other);
    either.onGone(() => assert.fail('told after the end'));
    either.end();
    one.leave();
    other.leave();
    assert.equal(either.isGone, true);
  });
});

describe('limitAsker', () => {
  it('the time is over → gone and late, and all who wait are told', async () => {
    const limited = limitAsker(makeAsker(), 1);
    await new Promise<void>((resolve) => void limited.onGone(resolve));
    assert.deepEqual([limited.isGone, limited.isLate], [true, true]);
  });

  it('the asker leaves first → gone, not late', async () => {
    const asker = makeAsker();
    const limited = limitAsker(asker, 1);
    const told = new Promise<void>((resolve) => void limited.onGone(resolve));
    asker.leave();
    await told;
    await passed(2);
    assert.deepEqual([limited.isGone, limited.isLate], [true, false]);
  });

  it('ended → nobody is told of anything', async () => {
    const asker = makeAsker();
    const limited = limitAsker(asker, 1);
    limited.onGone(() => assert.fail('told after the end'));
    limited.end();
    asker.leave();
    await passed(2);
    assert.equal(limited.isLate, false);
  });

  it('nobody waits any more → small collections take who was asked for', async () => {
    const kept = await countKept(() => {
      const item = makeAsker();
      const limited = limitAsker(item, 60_000);
      limited.onGone(() => assert.fail('nobody has left'));
      return { item, leave: () => limited.end() };
    });
    assert.ok(kept <= KEPT_FEW, `${kept}`);
  });
});

describe('signalOf', () => {
  it('gone before, gone later, there → aborted, aborted then, not aborted', () => {
    const [before, later, there] = [makeAsker(), makeAsker(), makeAsker()];
    before.leave();
    const signals = [before, later, there].map(signalOf);
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [true, false, false],
    );
    later.leave();
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [true, true, false],
    );
  });
});
