import assert from 'node:assert/strict';
import fc from 'fast-check';
import { assignAddresses, parsePool } from '#src/controllers/import/addresses.ts';

const POOL = '127.96.16.0/29'; // six addresses

describe('assignAddresses', () => {
  it('an import that is there already → keeps its address (IMP-13)', () => {
    const first = assignAddresses({ pool: POOL, remembered: {}, wanted: ['store/db', 'store/web'] });
    const second = assignAddresses({
      pool: POOL,
      remembered: first.remembered,
      wanted: ['store/a', 'store/db', 'store/web'],
    });
    assert.equal(second.remembered['store/db'], first.remembered['store/db']);
    assert.equal(second.remembered['store/web'], first.remembered['store/web']);
  });

  it('an import that went and comes back → gets its address again', () => {
    const first = assignAddresses({ pool: POOL, remembered: {}, wanted: ['store/db'] });
    const without = assignAddresses({ pool: POOL, remembered: first.remembered, wanted: ['store/web'] });
    const again = assignAddresses({ pool: POOL, remembered: without.remembered, wanted: ['store/db', 'store/web'] });
    assert.equal(again.remembered['store/db'], first.remembered['store/db']);
  });

  it('the pool is used up → addresses of imports that are gone go first, then imports stay without', () => {
    const gone = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `old/${name}`);
    const { remembered } = assignAddresses({ pool: POOL, remembered: {}, wanted: gone });
    const wanted = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `new/${name}`);
    const next = assignAddresses({ pool: POOL, remembered, wanted });
    assert.deepEqual(next.unassigned, ['new/g']);
    assert.equal(Object.keys(next.remembered).length, 6);
  });

  it('remembered addresses outside the pool → not used: the pool was changed', () => {
    const { remembered } = assignAddresses({
      pool: POOL,
      remembered: { 'store/db': '127.1.1.1', 'store/web': 'nonsense' },
      wanted: ['store/db'],
    });
    assert.match(remembered['store/db'] ?? '', /^127\.96\.16\.[1-6]$/);
  });

  it('any wish → distinct addresses of the pool, the same again for the same wish', () => {
    const keys = fc.uniqueArray(
      fc.string({ minLength: 1, maxLength: 8 }).filter((key) => key !== '__proto__'),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(keys, keys, (before, wanted) => {
        const first = assignAddresses({ pool: '127.96.0.0/26', remembered: {}, wanted: before });
        const second = assignAddresses({ pool: '127.96.0.0/26', remembered: first.remembered, wanted });
        const given = Object.values(second.remembered);
        assert.equal(new Set(given).size, given.length);
        assert.deepEqual(second.unassigned, []);
        assert.deepEqual(
          assignAddresses({ pool: '127.96.0.0/26', remembered: second.remembered, wanted }).remembered,
          second.remembered,
        );
      }),
    );
  });
});

describe('parsePool', () => {
  for (const pool of ['', '127.0.0.1', '127.0.0.0/31', '127.0.0.0/7', '300.0.0.0/16', 'fd00::/64']) {
    it(`${JSON.stringify(pool)} → ERR_CONFIG`, () => {
      assert.throws(() => parsePool(pool), { code: 'ERR_CONFIG' });
    });
  }
});
