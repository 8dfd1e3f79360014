import assert from 'node:assert/strict';
import fc from 'fast-check';
import { withKey, withoutKey } from '#src/exchange/shared-map.ts';

describe('withKey and withoutKey', () => {
  it('any changes, of small and large maps → what a plain map has; the maps before stay as they were', () => {
    const change = fc.record({
      key: fc.integer({ min: 0, max: 400 }).map((number) => `shop/s${number}`),
      keep: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.array(change, { maxLength: 200 }), (size, changes) => {
        const plain = new Map(Array.from({ length: size }, (_, index) => [`shop/s${index}`, -1]));
        let shared: ReadonlyMap<string, number> = new Map(plain);
        const first = shared;
        for (const [index, { key, keep }] of changes.entries()) {
          const before = shared;
          const sizeBefore = before.size;
          const hadBefore = before.get(key);
          shared = keep ? withKey(shared, key, index) : withoutKey(shared, key);
          if (keep) plain.set(key, index);
          else plain.delete(key);
          assert.deepEqual([before.size, before.get(key)], [sizeBefore, hadBefore]);
          assert.deepEqual([shared.get(key), shared.has(key)], [plain.get(key), keep]);
        }
        assert.equal(shared.size, plain.size);
        assert.deepEqual([...shared].sort(), [...plain].sort());
        assert.deepEqual([...shared.entries()].sort(), [...plain].sort());
        assert.deepEqual([...shared.keys()].sort(), [...plain.keys()].sort());
        assert.equal([...shared.values()].length, plain.size);
        let walked = 0;
        shared.forEach((value, key) => (walked += Number(plain.get(key) === value)));
        assert.equal(walked, plain.size);
        assert.equal(first.size, size);
      }),
    );
  });

  it('names that a peer has chosen to fall together under a known hash → they are spread all the same', () => {
    // Each pair is worth the same to a polynomial in 31, as of Java's strings.
    const names = Array.from({ length: 1_024 }, (_, index) =>
      Array.from({ length: 10 }, (_, bit) => ((index >> bit) & 1 ? 'an' : 'c0')).join(''),
    );
    let map: ReadonlyMap<string, number> = new Map();
    for (const [index, name] of names.entries()) map = withKey(map, name, index);
    // One small map after the other: of a single one it would be the order in which they came.
    assert.notDeepEqual([...map.keys()], names);
    assert.deepEqual([...map.keys()].sort(), [...names].sort());
  });

  it('no such key → the map itself', () => {
    const map = new Map([['a', 1]]);
    assert.equal(withoutKey(map, 'b'), map);
  });
});
