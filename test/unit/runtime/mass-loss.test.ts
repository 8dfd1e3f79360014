import assert from 'node:assert/strict';
import { LOSS_UNHELD_MAX } from '#src/runtime/limits.ts';
import { isMassLoss } from '#src/runtime/mass-loss.ts';

describe('isMassLoss', () => {
  for (const [missing, present, outcome] of [
    [0, 0, false],
    [0, 5, false],
    // The only object of a folder: who deletes it means it.
    [1, 1, false],
    [2, 2, true],
    [4, 5, false],
    [LOSS_UNHELD_MAX, LOSS_UNHELD_MAX + 1, false],
    [LOSS_UNHELD_MAX + 1, 2 * LOSS_UNHELD_MAX + 1, true],
    [LOSS_UNHELD_MAX + 1, 2 * LOSS_UNHELD_MAX + 2, false],
  ] as const) {
    it(`${missing} of ${present} → ${outcome ? 'held' : 'let go'}`, () => {
      assert.equal(isMassLoss(missing, present), outcome);
    });
  }
});
