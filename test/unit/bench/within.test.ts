import assert from 'node:assert/strict';
import { within } from '#test/bench/within.ts';

describe('within', () => {
  it('done in time → what it gives', async () => assert.equal(await within('work', 1_000, Promise.resolve(7)), 7));
  it('failed in time → its own error', async () => {
    await assert.rejects(within('work', 1_000, Promise.reject(new Error('broken'))), /^Error: broken$/);
  });
  it('never done → an error that names it', async () => {
    await assert.rejects(within('work', 10, new Promise(() => undefined)), /^Error: work: not done after 0\.01 s$/);
  });
});
