import assert from 'node:assert/strict';
import { LOSS_HOLD_MS } from '#src/runtime/limits.ts';
import { makeLossHold } from '#src/store/directory/mass-loss.ts';

const ids = (count: number, from = 0): string[] => Array.from({ length: count }, (_, index) => `o${from + index}`);

describe('makeLossHold', () => {
  it('everything goes → held until its time is over, then let go', () => {
    const hold = makeLossHold();
    assert.equal(hold.look(ids(7), 7, 0).size, 7);
    assert.equal(hold.look(ids(7), 7, LOSS_HOLD_MS - 1).size, 7);
    assert.equal(hold.look(ids(7), 7, LOSS_HOLD_MS).size, 0);
  });

  it('restored one by one → the rest stays held, few as it is', () => {
    const hold = makeLossHold();
    hold.look(ids(7), 7, 0);
    for (let left = 6; left > 0; left--) assert.equal(hold.look(ids(left), 7, 7 - left).size, left);
    assert.equal(hold.look([], 7, 8).size, 0);
  });

  it('restored, and one of them removed later → let go like any other', () => {
    const hold = makeLossHold();
    hold.look(ids(7), 7, 0);
    hold.look([], 7, 1);
    assert.equal(hold.look(ids(1), 7, 2).size, 0);
  });

  it('the rest goes while a part is held → each for its own time', () => {
    const hold = makeLossHold();
    hold.look(ids(12), 20, 0);
    assert.equal(hold.look(ids(20), 20, 1_000).size, 20);
    assert.deepEqual([...hold.look(ids(20), 20, LOSS_HOLD_MS)], ids(8, 12));
  });
});
