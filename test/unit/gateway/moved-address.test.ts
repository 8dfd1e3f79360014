import assert from 'node:assert/strict';
import { NAME_STABLE_MS, RESOLVE_INTERVAL_MS, RESOLVE_MISSES_MAX, RESOLVE_MISSES_MIN } from '#src/gateway/limits.ts';
import { makeMovedAddress } from '#src/gateway/moved-address.ts';

const OLD = '192.0.2.1';
const NEW = '192.0.2.2';

describe('makeMovedAddress', () => {
  it(`its address is missing ${RESOLVE_MISSES_MIN} times in a row → moved, and not before`, () => {
    const moved = makeMovedAddress();
    const dialled = [{ session: {}, address: OLD }];
    for (let look = 1; look < RESOLVE_MISSES_MIN; look++) assert.deepEqual(moved.look([NEW], dialled, 0), []);
    assert.deepEqual(moved.look([NEW], dialled, 0), [dialled[0]?.session]);
  });

  it('missing, there again, missing → nothing', () => {
    const moved = makeMovedAddress();
    const dialled = [{ session: {}, address: OLD }];
    for (const answers of [[NEW], [NEW, OLD], [NEW], [OLD]]) assert.deepEqual(moved.look(answers, dialled, 0), []);
  });

  for (const [title, silence] of [
    ['fails', undefined],
    ['says nothing', []],
  ] as const) {
    it(`the resolver ${title} in between → counts for neither`, () => {
      const moved = makeMovedAddress();
      const dialled = [{ session: {}, address: OLD }];
      for (let look = 0; look < 100; look++) assert.deepEqual(moved.look(silence, dialled, 0), []);
      moved.look([NEW], dialled, 0);
      moved.look(silence, dialled, 0);
      assert.equal(moved.look([NEW], dialled, 0).length, 1);
    });
  }

  it('one of two sessions has moved → that one alone', () => {
    const moved = makeMovedAddress();
    const [gone, stays] = [
      { session: {}, address: OLD },
      { session: {}, address: NEW },
    ];
    moved.look([NEW], [gone, stays], 0);
    assert.deepEqual(moved.look([NEW], [gone, stays], 0), [gone.session]);
  });

  /** How many looks it takes until the next session counts as moved, if the name never answers its address. */
  function looksUntilMoved(moved: ReturnType<typeof makeMovedAddress>, nowMs: number): number {
    const dialled = [{ session: {}, address: OLD }];
    for (let looks = 1; ; looks++) if (moved.look([NEW], dialled, nowMs).length > 0) return looks;
  }

  it('a name that always answers something else → ever more looks, up to the bound; quiet for a while → as at first', () => {
    const moved = makeMovedAddress();
    const counts = Array.from({ length: 8 }, () => looksUntilMoved(moved, 0));
    assert.deepEqual(counts, [2, 2, 4, 8, 16, 32, 32, 32]);
    assert.equal(counts.at(-1), RESOLVE_MISSES_MAX);
    looksUntilMoved(moved, NAME_STABLE_MS);
    assert.equal(looksUntilMoved(moved, 2 * NAME_STABLE_MS), RESOLVE_MISSES_MIN);
  });

  it('a changed address → followed within 30 s, the dial included', () => {
    assert.ok((RESOLVE_MISSES_MIN + 1) * RESOLVE_INTERVAL_MS <= 30_000);
  });
});
