import assert from 'node:assert/strict';
import fc from 'fast-check';
import { makeWindowBudget } from '#src/gateway/window-budget.ts';

describe('makeWindowBudget', () => {
  const make = () => makeWindowBudget({ bytesMax: 200, peerBytesMax: 100 });

  it('one stream → all that its peer may; two → half of it each', () => {
    const east = make().of('east');
    assert.equal(east.allowance(0), 100);
    east.change(0, 100);
    assert.equal(east.allowance(100), 100);
    assert.equal(east.allowance(0), 0);
    east.change(100, 60);
    assert.equal(east.allowance(0), 40);
  });

  it('a stream above its share → less, so that others come to theirs', () => {
    const east = make().of('east');
    east.change(0, 80);
    east.change(0, 20);
    assert.equal(east.allowance(80), 50);
    assert.equal(east.allowance(20), 20);
  });

  it('three peers → a third of the process each', () => {
    const budget = make();
    for (const peer of ['east', 'west', 'north']) budget.of(peer).change(0, 30);
    assert.equal(budget.of('east').allowance(30), 66);
  });

  it('streams that are gone → nothing is left of them, nor of their peer', () => {
    const budget = make();
    const east = budget.of('east');
    east.change(0, 70);
    east.change(70, 0);
    assert.equal(budget.bytes, 0);
    assert.equal(budget.of('west').allowance(0), 100);
  });

  it('streams that take what they are allowed, in any order → neither bound is passed', () => {
    const act = fc.record({ stream: fc.nat({ max: 11 }), part: fc.double({ min: 0, max: 1, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 200 }), (acts) => {
        const budget = make();
        const held = Array<number>(12).fill(0);
        const peerOf = (stream: number): string => `peer${stream % 3}`;
        for (const { stream, part } of acts) {
          const windows = budget.of(peerOf(stream));
          const before = held[stream] ?? 0;
          const after = Math.floor(windows.allowance(before) * part);
          windows.change(before, after);
          held[stream] = after;
          assert.equal(
            budget.bytes,
            held.reduce((sum, bytes) => sum + bytes, 0),
          );
          assert.ok(budget.bytes <= 200);
          const ofPeer = held.filter((_, index) => peerOf(index) === peerOf(stream));
          assert.ok(ofPeer.reduce((sum, bytes) => sum + bytes, 0) <= 100);
        }
      }),
    );
  });
});
