import assert from 'node:assert/strict';
import { SKIPPED_IDS_MAX } from '#src/gateway/yamux/limits.ts';
import { makePeerStreamIds } from '#src/gateway/yamux/stream-ids.ts';

describe('makePeerStreamIds', () => {
  const cases: { name: string; use: number[]; fails: number }[] = [
    { name: 'an id of our own', use: [], fails: 2 },
    { name: 'an id used before', use: [1, 3], fails: 1 },
    { name: 'the id used last', use: [1, 3], fails: 3 },
    { name: 'a skipped id, twice', use: [5, 3], fails: 3 },
    { name: 'one id beyond the jump allowed', use: [], fails: 1 + 2 * (SKIPPED_IDS_MAX + 1) },
    { name: 'the oldest skipped id when there are too many', use: [3, 5 + 2 * SKIPPED_IDS_MAX], fails: 1 },
  ];
  for (const { name, use, fails } of cases) {
    it(`${name} → ERR_MALFORMED`, () => {
      const ids = makePeerStreamIds('dialler');
      for (const id of use) ids.use(id);
      assert.throws(() => ids.use(fails), { code: 'ERR_MALFORMED' });
    });
  }

  it('ids of parallel openers in any order → accepted, each used from then on', () => {
    const ids = makePeerStreamIds('acceptor');
    for (const id of [6, 2, 10, 8, 4]) {
      assert.equal(ids.isUsed(id), false);
      ids.use(id);
      assert.equal(ids.isUsed(id), true);
    }
    assert.equal(ids.isUsed(12), false);
  });

  it('the greatest jump allowed → accepted', () => {
    const ids = makePeerStreamIds('dialler');
    ids.use(1 + 2 * SKIPPED_IDS_MAX);
    ids.use(1);
  });
});
