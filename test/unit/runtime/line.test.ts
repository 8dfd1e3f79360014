import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ByNumber, Line, type Place } from '#src/runtime/line.ts';
import { countKept, KEPT_FEW } from '#test/support/kept.ts';

describe('Line', () => {
  it('whatever comes and goes → those that are there, in the order in which they came', () => {
    const acts = fc.array(
      fc.oneof(
        fc.constant({ kind: 'join' as const }),
        fc.constant({ kind: 'shift' as const }),
        fc.record({ kind: fc.constant('leave' as const), which: fc.nat(20) }),
      ),
    );
    fc.assert(
      fc.property(acts, (all) => {
        const line = new Line<number>();
        const places: Place[] = [];
        let model: number[] = [];
        for (const act of all) {
          if (act.kind === 'join') {
            model.push(places.length);
            places.push(line.join(places.length));
          } else if (act.kind === 'shift') {
            assert.equal(line.shift(), model.shift());
          } else {
            places[act.which]?.leave();
            model = model.filter((item) => item !== act.which);
          }
          assert.deepEqual([line.items(), line.size], [model, model.length]);
          assert.deepEqual(
            places.map(({ isTaken }) => isTaken),
            places.map((_, item) => model.includes(item)),
          );
        }
      }),
    );
  });

  it('those that have gone → small collections take them', async () => {
    const line = new Line<object>();
    const kept = await countKept((index) => {
      const item = { index };
      const place = line.join(item);
      return { item, leave: () => place.leave() };
    });
    assert.ok(kept <= KEPT_FEW, `${kept}`);
  });
});

describe('ByNumber', () => {
  it('whatever comes and goes → as a Map has it', () => {
    const acts = fc.array(fc.tuple(fc.constantFrom('set', 'delete', 'get', 'clear'), fc.nat(8)));
    fc.assert(
      fc.property(acts, (all) => {
        const map = new ByNumber<object>();
        const model = new Map<number, object>();
        for (const [act, key] of all) {
          const item = { key };
          if (act === 'set') [map, model].forEach((one) => void one.set(key, item));
          else if (act === 'delete') assert.equal(map.delete(key), model.delete(key));
          else if (act === 'clear') [map, model].forEach((one) => one.clear());
          assert.equal(map.get(key), model.get(key));
          assert.deepEqual([map.items(), map.size], [[...model.values()], model.size]);
        }
      }),
    );
  });

  it('those that have gone → small collections take them', async () => {
    const map = new ByNumber<object>();
    const kept = await countKept((index) => {
      const item = { index };
      map.set(index, item);
      return { item, leave: () => void map.delete(index) };
    });
    assert.ok(kept <= KEPT_FEW, `${kept}`);
  });

  it('a Map, for comparison → keeps hundreds of them', async () => {
    const map = new Map<number, object>();
    const kept = await countKept((index) => {
      const item = { index };
      map.set(index, item);
      return { item, leave: () => void map.delete(index) };
    });
    assert.ok(kept > 10 * KEPT_FEW, `${kept}: where a Map keeps none any more, Line and ByNumber can go`);
  });
});
