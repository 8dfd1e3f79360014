import assert from 'node:assert/strict';
import { WITHDRAWALS_MAX } from '#src/gateway/limits.ts';
import { makeWithdrawals, type Withdrawals } from '#src/gateway/withdrawals.ts';
import { countKept, KEPT_FEW } from '#test/support/kept.ts';

describe('makeWithdrawals', () => {
  let withdrawals: Withdrawals;
  let told: number;
  const tell = (): void => void told++;
  beforeEach(() => {
    withdrawals = makeWithdrawals();
    told = 0;
  });

  it('somebody listens → is told, and of no other stream', () => {
    withdrawals.onWithdrawn(3, tell);
    withdrawals.remember(5);
    assert.deepEqual([told, withdrawals.isWithdrawn(3)], [0, false]);
    withdrawals.remember(3);
    assert.deepEqual([told, withdrawals.isWithdrawn(3)], [1, true]);
  });

  it('said before anybody listens → known to who asks', () => {
    withdrawals.remember(3);
    withdrawals.onWithdrawn(3, tell);
    assert.equal(withdrawals.isWithdrawn(3), true);
  });

  it('nobody listens any more → nobody is told, and nothing is kept', () => {
    const forget = withdrawals.onWithdrawn(3, tell);
    withdrawals.remember(3);
    forget();
    assert.equal(withdrawals.isWithdrawn(3), false);
    withdrawals.remember(3);
    assert.equal(told, 1);
  });

  it(`${WITHDRAWALS_MAX} that nobody asks for, and one more → the oldest is forgotten`, () => {
    for (let id = 1; id <= WITHDRAWALS_MAX; id++) withdrawals.remember(id);
    assert.equal(withdrawals.isWithdrawn(1), true);
    withdrawals.remember(WITHDRAWALS_MAX + 1);
    assert.deepEqual([1, 2, WITHDRAWALS_MAX + 1].map(withdrawals.isWithdrawn), [false, true, true]);
  });

  it('nobody listens any more → small collections take who did', async () => {
    const kept = await countKept((index) => {
      const item = (): void => assert.fail(`${index} was told`);
      return { item, leave: withdrawals.onWithdrawn(index, item) };
    });
    assert.ok(kept <= KEPT_FEW, `${kept}`);
  });
});
