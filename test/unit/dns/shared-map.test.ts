import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SharedMap } from '#src/dns/shared-map.ts';

const key = fc.string({ unit: 'binary-ascii', maxLength: 3 });
const change = fc.array(fc.tuple(key, fc.option(fc.nat(9), { nil: undefined })), { maxLength: 8 });

describe('SharedMap', () => {
  it('any changes → what a Map has after them, and every map before is as it was', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
        const model = new Map<string, number>();
        let map = SharedMap.empty<number>();
        const before: [SharedMap<number>, Map<string, number>][] = [];
        for (const each of changes) {
          before.push([map, new Map(model)]);
          map = map.with(new Map(each));
          for (const [name, value] of new Map(each)) {
            if (value === undefined) model.delete(name);
            else model.set(name, value);
          }
        }
        before.push([map, model]);
        for (const [shared, plain] of before) {
          assert.equal(shared.size, plain.size);
          assert.deepEqual(new Map(shared.entries()), plain);
          for (const [name, value] of plain) assert.equal(shared.get(name), value);
        }
      }),
    );
  });

  it('nothing changes → the same map', () => {
    const map = SharedMap.empty<number>().with(new Map([['a', 1]]));
    assert.equal(map.with(new Map()), map);
  });
});
