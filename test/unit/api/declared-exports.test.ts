import assert from 'node:assert/strict';
import { parseDeclaredExports } from '#src/api/declared-exports.ts';
import { DECLARED_EXPORTS_MAX } from '#src/api/validation/limits.ts';

describe('parseDeclaredExports', () => {
  it('a list, with spaces → its exports, in order', () => {
    assert.deepEqual(parseDeclaredExports(' shop/db:5432,sales/web:80 '), {
      ok: true,
      exports: [
        { namespace: 'shop', name: 'db', port: 5432 },
        { namespace: 'sales', name: 'web', port: 80 },
      ],
    });
  });

  const wrong: [title: string, text: string, message: RegExp][] = [
    ['nothing', '', /has ""/],
    ['an empty entry', 'shop/db:1,', /has ""/],
    ['no port', 'shop/db', /has "shop\/db"/],
    ['no namespace', 'db:5432', /has "db:5432"/],
    ['a peer too', 'east/shop/db:1', /has "east\/shop\/db:1"/],
    ['a port that is a name', 'shop/db:pg', /has "shop\/db:pg"/],
    ['port 0', 'shop/db:0', /between 1 and 65535, is 0/],
    ['a port too high', 'shop/db:65536', /is 65536/],
    ['digits without end', 'shop/db:000000001', /has "shop/],
    ['no label', 'Shop/db:1', /has "Shop\/db:1"/],
    ['a dot, which no import can have', 'shop/db.pg:1', /has "shop\/db.pg:1"/],
    ['one export twice', 'shop/db:1,shop/db:2', /"shop\/db" twice/],
  ];
  for (const [title, text, message] of wrong) {
    it(`${title} → all of it is refused, with a remedy`, () => {
      const parsed = parseDeclaredExports(text);
      assert.ok(!parsed.ok);
      assert.match(parsed.message, message);
      assert.notEqual(parsed.fix, '');
    });
  }

  it('as many as may be → read; one more → refused', () => {
    const text = (count: number): string => Array.from({ length: count }, (_, index) => `shop/s${index}:1`).join(',');
    const parsed = parseDeclaredExports(text(DECLARED_EXPORTS_MAX));
    assert.ok(parsed.ok);
    assert.equal(parsed.exports.length, DECLARED_EXPORTS_MAX);
    assert.equal(parseDeclaredExports(text(DECLARED_EXPORTS_MAX + 1)).ok, false);
  });
});
