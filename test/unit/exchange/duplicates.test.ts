import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isFrozen, nextSightMs, NOBODY_SEEN, sight, type Sightings } from '#src/exchange/duplicates.ts';
import { DUPLICATE_OVERLAP_MS, DUPLICATE_QUIET_MS, EPOCHS_REMEMBERED_MAX } from '#src/exchange/limits.ts';

/** `[seconds, epochs that are connected]` */
type Scene = readonly (readonly [number, string])[];

function play(scene: Scene): Sightings {
  return scene.reduce(
    (seen, [seconds, epochs]) => sight(seen, epochs === '' ? [] : epochs.split(' '), seconds * 1_000),
    NOBODY_SEEN,
  );
}

const OVERLAP = DUPLICATE_OVERLAP_MS / 1_000;
const QUIET = DUPLICATE_QUIET_MS / 1_000;

describe('sight', () => {
  const rows: { name: string; scene: Scene; duplicate: boolean; frozen: boolean }[] = [
    {
      name: 'one installation that stays',
      scene: [
        [0, 'a'],
        [100, 'a'],
      ],
      duplicate: false,
      frozen: false,
    },
    {
      name: 'one that is lost and found, again and again',
      scene: [
        [0, 'a'],
        [1, ''],
        [2, 'a'],
        [3, ''],
        [4, 'a'],
      ],
      duplicate: false,
      frozen: false,
    },
    {
      name: 'made again: the old one is gone when the new one comes',
      scene: [
        [0, 'a'],
        [1, ''],
        [2, 'b'],
      ],
      duplicate: false,
      frozen: false,
    },
    {
      name: 'made again, and restarted twice',
      scene: [
        [0, 'a'],
        [2, 'b'],
        [3, ''],
        [4, 'b'],
        [5, ''],
        [6, 'b'],
      ],
      duplicate: false,
      frozen: false,
    },
    {
      name: 'the session of the old one has not ended yet',
      scene: [
        [0, 'a'],
        [10, 'a b'],
        [12, 'a b'],
      ],
      duplicate: false,
      frozen: true,
    },
    {
      name: '… and ends',
      scene: [
        [0, 'a'],
        [10, 'a b'],
        [12, 'b'],
      ],
      duplicate: false,
      frozen: false,
    },
    {
      name: 'both together for a moment less than too long',
      scene: [
        [0, 'a'],
        [10, 'a b'],
        [10 + OVERLAP - 0.001, 'a b'],
      ],
      duplicate: false,
      frozen: true,
    },
    {
      name: 'both together for too long',
      scene: [
        [0, 'a'],
        [10, 'a b'],
        [10 + OVERLAP, 'a b'],
      ],
      duplicate: true,
      frozen: true,
    },
    {
      name: 'a, b, a within a minute',
      scene: [
        [0, 'a'],
        [10, 'b'],
        [20, 'a'],
      ],
      duplicate: true,
      frozen: true,
    },
    {
      name: 'a, b, a with nothing in between',
      scene: [
        [0, 'a'],
        [5, ''],
        [10, 'b'],
        [15, ''],
        [20, 'a'],
      ],
      duplicate: true,
      frozen: true,
    },
    {
      name: 'b comes, and goes, while a stays',
      scene: [
        [0, 'a'],
        [10, 'a b'],
        [11, 'a'],
      ],
      duplicate: false,
      frozen: false,
    },
    {
      name: 'b comes, goes and comes while a stays',
      scene: [
        [0, 'a'],
        [10, 'a b'],
        [11, 'a'],
        [12, 'a b'],
        [13, 'a'],
        [14, 'a b'],
      ],
      duplicate: false,
      frozen: true,
    },
    {
      name: 'a, b, a after more than a minute',
      scene: [
        [0, 'a'],
        [10, 'b'],
        [11 + QUIET, 'b'],
        [12 + QUIET, 'a'],
      ],
      duplicate: false,
      frozen: false,
    },
    {
      name: 'two, and then one for less than a minute',
      scene: [
        [0, 'a'],
        [10, 'b'],
        [20, 'a'],
        [10 + QUIET, 'a'],
      ],
      duplicate: true,
      frozen: true,
    },
    {
      name: 'two, and then one for a minute',
      scene: [
        [0, 'a'],
        [10, 'b'],
        [20, 'a'],
        [20 + QUIET, 'a'],
      ],
      duplicate: false,
      frozen: false,
    },
    {
      name: 'two, and then nobody',
      scene: [
        [0, 'a'],
        [10, 'b'],
        [20, 'a'],
        [21, ''],
        [22 + QUIET, ''],
      ],
      duplicate: false,
      frozen: false,
    },
  ];
  for (const { name, scene, duplicate, frozen } of rows) {
    it(`${name} → ${duplicate ? 'two' : 'one'}, ${frozen ? 'frozen' : 'free'}`, () => {
      const seen = play(scene);
      assert.deepEqual([seen.isDuplicate, isFrozen(seen)], [duplicate, frozen]);
    });
  }

  it('more installations than are remembered → the oldest are forgotten, never those that are connected', () => {
    const scene = Array.from(
      { length: 3 * EPOCHS_REMEMBERED_MAX },
      (_, index) => [index * 100, `stays e${index}`] as const,
    );
    const { seen } = play(scene);
    assert.equal(seen.size, EPOCHS_REMEMBERED_MAX);
    assert.ok(seen.has('stays'));
  });

  it('whatever happened, one that is alone from then on → free when the time of the next look has come, and no look after that', () => {
    const events = fc.array(fc.tuple(fc.integer({ min: 0, max: 90 }), fc.subarray(['a', 'b', 'c'])), { maxLength: 12 });
    fc.assert(
      fc.property(events, (steps) => {
        let nowMs = 0;
        let seen = NOBODY_SEEN;
        for (const [seconds, epochs] of steps) seen = sight(seen, epochs, (nowMs += seconds * 1_000));
        seen = sight(seen, ['a'], nowMs);
        for (let looks = 0; looks < 4; looks++) {
          const nextMs = nextSightMs(seen, nowMs);
          if (nextMs === undefined) break;
          assert.ok(nextMs > nowMs && nextMs <= nowMs + DUPLICATE_QUIET_MS, `${nextMs} after ${nowMs}`);
          nowMs = nextMs;
          seen = sight(seen, ['a'], nowMs);
        }
        assert.deepEqual([isFrozen(seen), nextSightMs(seen, nowMs)], [false, undefined]);
      }),
    );
  });
});
