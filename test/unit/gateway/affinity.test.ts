import assert from 'node:assert/strict';
import { makeAffinity, makeClientKeys, orderByKey, orderByShare } from '#src/gateway/affinity.ts';
import { AFFINITY_ENTRIES_MAX } from '#src/gateway/limits.ts';

const names = Array.from({ length: 10 }, (_, index) => `10.0.0.${index} 5432`);
const order = (key: string, items: readonly string[]): string[] => orderByKey(key, items, (item) => item);

describe('orderByKey', () => {
  it('the same key and items in any order → the same order', () => {
    assert.deepEqual(order('client', names), order('client', [...names].reverse()));
  });

  it('an item goes → only those who had it move, each to its second', () => {
    for (let client = 0; client < 100; client++) {
      const [first, second] = order(`c${client}`, names);
      const left = names.filter((name) => name !== names[3]);
      assert.equal(order(`c${client}`, left)[0], first === names[3] ? second : first);
    }
  });

  it('10,000 clients → each of ten items leads for its share, half as many at least', () => {
    const counts = new Map<string, number>();
    for (let client = 0; client < 10_000; client++) {
      const [first = ''] = order(`10.1.${client >> 8}.${client & 255}`, names);
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    assert.equal(counts.size, 10);
    assert.ok(
      [...counts.values()].every((count) => count > 500 && count < 1_500),
      JSON.stringify([...counts]),
    );
  });
});

describe('orderByShare', () => {
  const shared = (key: string, items: readonly string[], shareOf: (item: string) => number): string[] =>
    orderByShare({ key, items, nameOf: (item) => item, shareOf });

  it('equal shares → as without, so that replicas of the version before agree', () => {
    for (let client = 0; client < 100; client++) {
      assert.deepEqual(
        shared(`c${client}`, names, () => 3),
        order(`c${client}`, names),
      );
    }
  });

  it('10,000 clients, shares 1, 2 and 7 → each leads for its share', () => {
    const shares: Readonly<Record<string, number>> = { a: 1, b: 2, c: 7 };
    const counts: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (let client = 0; client < 10_000; client++) {
      const [first = ''] = shared(`10.1.${client >> 8}.${client & 255}`, ['a', 'b', 'c'], (item) => shares[item] ?? 1);
      counts[first] = (counts[first] ?? 0) + 1;
    }
    for (const [name, share] of Object.entries(shares)) {
      const count = counts[name] ?? 0;
      assert.ok(Math.abs(count - 1_000 * share) < 300, `${name}: ${count}`);
    }
  });

  it('one gets a greater share → clients move to it, and to no other', () => {
    for (let client = 0; client < 100; client++) {
      const [before] = shared(`c${client}`, names, () => 1);
      const [after] = shared(`c${client}`, names, (name) => (name === names[4] ? 5 : 1));
      assert.ok(after === before || after === names[4]);
    }
  });
});

describe('makeAffinity', () => {
  const key = { object: 'store/db', address: '10.0.0.1' };

  it('within the time → the source; each connection begins it anew; after it → none', () => {
    let nowMs = 0;
    const affinity = makeAffinity({ now: () => nowMs });
    affinity.remember(key, 'east/shop/db');
    nowMs = 1_000;
    assert.equal(affinity.recall(key, 1_000), 'east/shop/db');
    affinity.remember(key, 'east/shop/db');
    nowMs = 2_000;
    assert.equal(affinity.recall(key, 1_000), 'east/shop/db');
    nowMs = 2_001;
    assert.equal(affinity.recall(key, 1_000), undefined);
  });

  it('another client, another import, an import that is gone → none', () => {
    const affinity = makeAffinity({ now: () => 0 });
    affinity.remember(key, 'east/shop/db');
    assert.equal(affinity.recall({ ...key, address: '10.0.0.2' }, 1_000), undefined);
    assert.equal(affinity.recall({ ...key, object: 'store/web' }, 1_000), undefined);
    affinity.retain(new Map([['store/web', true]]));
    assert.equal(affinity.recall(key, 1_000), undefined);
  });

  it(`${AFFINITY_ENTRIES_MAX} clients → all remembered; one more → the one that came least recently is forgotten`, () => {
    const affinity = makeAffinity({ now: () => 0 });
    const keyOf = (client: number) => ({ object: 'store/db', address: String(client) });
    for (let client = 0; client < AFFINITY_ENTRIES_MAX; client++) affinity.remember(keyOf(client), 'east/shop/db');
    assert.notEqual(affinity.recall(keyOf(0), 1), undefined);
    affinity.remember(keyOf(0), 'east/shop/db');
    affinity.remember(keyOf(AFFINITY_ENTRIES_MAX), 'east/shop/db');
    assert.equal(affinity.recall(keyOf(1), 1), undefined);
    assert.notEqual(affinity.recall(keyOf(0), 1), undefined);
  });
});

describe('makeClientKeys', () => {
  const one = { exporter: 'east', address: '10.0.0.1' };

  it('two replicas with one key → the same; another client, exporter or key → another', () => {
    const [a, b, c] = [makeClientKeys(() => 'key'), makeClientKeys(() => 'key'), makeClientKeys(() => 'other')];
    assert.equal(a(one), b(one));
    assert.equal(
      new Set([a(one), a({ ...one, address: '10.0.0.2' }), a({ ...one, exporter: 'south' }), c(one)]).size,
      4,
    );
  });

  it('the key is renewed → another', () => {
    let keyPem = 'key';
    const keys = makeClientKeys(() => keyPem);
    const before = keys(one);
    keyPem = 'renewed';
    assert.notEqual(keys(one), before);
  });

  it('what it says → opaque, and as the wire wants it', () => {
    assert.match(makeClientKeys(() => 'key')(one), /^[0-9a-f]{32}$/);
  });
});
