import assert from 'node:assert/strict';
import fc from 'fast-check';
import { orderByWheel, turnWheel, type Credits, type Spoke } from '#src/gateway/wheel.ts';

function makeSpokes(weights: Readonly<Record<string, number>>): Spoke[] {
  return Object.entries(weights).map(([id, weight]) => ({ id, weight }));
}

/** Who gets so many turns, one after the other. */
function takeTurns(credits: Credits, spokes: readonly Spoke[], count: number): string[] {
  return Array.from({ length: count }, () => {
    const [first] = orderByWheel(credits, spokes);
    assert.ok(first);
    turnWheel(credits, spokes, first);
    return first.id;
  });
}

describe('orderByWheel', () => {
  const cases: { weights: Record<string, number>; want: string }[] = [
    { weights: { a: 1 }, want: 'aaa' },
    { weights: { a: 1, b: 1, c: 1 }, want: 'abcabc' },
    { weights: { a: 2, b: 1 }, want: 'abaaba' },
    { weights: { a: 5, b: 1, c: 1 }, want: 'abaacaa' },
    { weights: { a: 1, b: 2, c: 3 }, want: 'cbcabc' },
    { weights: { a: 1_000, b: 1 }, want: 'abaaa' },
  ];
  for (const { weights, want } of cases) {
    it(`${JSON.stringify(weights)} → ${want}`, () => {
      assert.equal(takeTurns(new Map(), makeSpokes(weights), want.length).join(''), want);
    });
  }

  it('nobody → nobody', () => {
    assert.deepEqual(orderByWheel(new Map(), []), []);
  });

  it('the whole order → each once, as they would come if a turn were taken by each', () => {
    const credits: Credits = new Map();
    const spokes = makeSpokes({ a: 1, b: 1, c: 1 });
    const orders = Array.from({ length: 4 }, () => {
      const order = orderByWheel(credits, spokes);
      turnWheel(credits, spokes, order[0] ?? assert.fail());
      return order.map(({ id }) => id).join('');
    });
    assert.deepEqual(orders, ['abc', 'bca', 'cab', 'abc']);
  });

  it('any weights, any number of turns → each has its share within one turn', () => {
    const weights = fc.array(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 1_000 })), {
      minLength: 1,
      maxLength: 12,
    });
    const hard = [91, 91, 70, 3, 3, 1, 1, 1];
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 300 }), (all, turns) => {
        const spokes = all.map((weight, index) => ({ id: `s${index}`, weight }));
        const total = all.reduce((sum, weight) => sum + weight, 0);
        const counts = new Map<string, number>();
        const credits: Credits = new Map();
        for (let turn = 1; turn <= turns; turn++) {
          const [id = ''] = takeTurns(credits, spokes, 1);
          counts.set(id, (counts.get(id) ?? 0) + 1);
          for (const spoke of spokes) {
            const share = (turn * spoke.weight) / total;
            assert.ok(Math.abs((counts.get(spoke.id) ?? 0) - share) < 1, `${spoke.id} after ${turn} of ${all.join()}`);
          }
        }
      }),
      { numRuns: 30, examples: [[hard, 262]] },
    );
  });

  it('any weights, at any time → who is named second has the next turn, unless the first has it again', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(weights, fc.nat(40), (all, turns) => {
        const spokes = all.map((weight, index) => ({ id: `s${index}`, weight }));
        const credits: Credits = new Map();
        takeTurns(credits, spokes, turns);
        const [first, second] = orderByWheel(credits, spokes);
        assert.ok(first && second);
        turnWheel(credits, spokes, first);
        const [next] = orderByWheel(credits, spokes);
        assert.ok(next === first || next === second);
      }),
      { numRuns: 200 },
    );
  });

  it('they come and go → nobody who is away gets a turn, the others share by weight, and who is back is owed nothing for it', () => {
    const ids = ['a', 'b', 'c', 'd'];
    const phase = fc.record({ present: fc.subarray(ids, { minLength: 1 }), turns: fc.integer({ min: 1, max: 40 }) });
    fc.assert(
      fc.property(
        fc.array(phase, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 4, maxLength: 4 }),
        (phases, weights) => {
          const credits: Credits = new Map();
          const weightOf = (id: string): number => weights[ids.indexOf(id)] ?? 1;
          for (const { present, turns } of phases) {
            const spokes = present.map((id) => ({ id, weight: weightOf(id) }));
            const total = spokes.reduce((sum, { weight }) => sum + weight, 0);
            const taken = takeTurns(credits, spokes, turns);
            assert.ok(taken.every((id) => present.includes(id)));
            for (const { id, weight } of spokes) {
              const count = taken.filter((one) => one === id).length;
              // What was owed when the phase began is paid in it: three others, a turn or two for each.
              assert.ok(Math.abs(count - (turns * weight) / total) < 2 * ids.length, `${id}: ${count} of ${turns}`);
            }
          }
          const sum = [...credits.values()].reduce((all, credit) => all + credit, 0);
          assert.equal(sum, 0);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('turnWheel', () => {
  it('a turn among two of three → who took no part is where it was, the other of the two is owed one', () => {
    const credits: Credits = new Map();
    const [a, b, c] = makeSpokes({ a: 1, b: 1, c: 1 });
    assert.ok(a && b && c);
    turnWheel(credits, [b, c], b);
    assert.deepEqual(Object.fromEntries(credits), { b: -1, c: 1 });
    assert.deepEqual(takeTurns(credits, [a, b, c], 3), ['c', 'a', 'b']);
  });
});
