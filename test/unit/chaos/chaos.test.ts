/** What judges the product must itself see what is wrong. */
import assert from 'node:assert/strict';
import { bytesOf, encodeLabel, LABEL_BYTES, makeChecker, makeLabelReader, type Label } from '#test/chaos/bytes.ts';
import { compare, type Picture } from '#test/chaos/comparison.ts';
import { drawFaults, FAULT_SORTS, formatFault } from '#test/chaos/faults.ts';
import { makeRandom } from '#test/chaos/random.ts';

const LENGTH = 200_000;

function bytes(id: number, from: number, to: number): Buffer {
  const pieces: Buffer[] = [];
  for (let offset = from; offset < to;) {
    const piece = bytesOf({ id, direction: 'down', offset, length: to - offset });
    pieces.push(piece);
    offset += piece.length;
  }
  return Buffer.concat(pieces);
}

function check(...pieces: readonly Buffer[]): { problem: string | undefined; missing: number } {
  const checker = makeChecker(3, 'down', LENGTH);
  let problem: string | undefined;
  for (const piece of pieces) problem ??= checker.check(piece);
  return { problem, missing: checker.missing };
}

describe('makeChecker', () => {
  it('all bytes in any pieces → nothing missing, nothing wrong', () => {
    assert.deepEqual(check(bytes(3, 0, 1), bytes(3, 1, 70_000), bytes(3, 70_000, LENGTH)), {
      problem: undefined,
      missing: 0,
    });
  });
  it('a piece that is not there → missing', () => {
    assert.deepEqual(check(bytes(3, 0, LENGTH - 1)), { problem: undefined, missing: 1 });
  });
  for (const [name, pieces] of [
    ['a piece lost in the middle', [bytes(3, 0, 1_000), bytes(3, 1_001, 2_000)]],
    ['a whole frame lost', [bytes(3, 0, 65_536), bytes(3, 131_072, LENGTH)]],
    ['a piece twice', [bytes(3, 0, 1_000), bytes(3, 500, 2_000)]],
    ['two pieces swapped', [bytes(3, 16_384, 32_768), bytes(3, 0, 16_384)]],
    ['bytes of another connection', [bytes(3, 0, 1_000), bytes(4, 1_000, 2_000)]],
    ['bytes of the other direction', [bytesOf({ id: 3, direction: 'up', offset: 0, length: 100 })]],
    ['one byte more than all', [bytes(3, 0, LENGTH), Buffer.of(0)]],
  ] as const) {
    it(`${name} → wrong`, () => assert.notEqual(check(...pieces).problem, undefined));
  }
});

describe('makeLabelReader', () => {
  const label: Label = { service: 'both', id: 12, from: 'east', upBytes: 1, downBytes: 2, paceMs: 0 };
  it('a label cut anywhere → the same label and what follows it', () => {
    const all = Buffer.concat([encodeLabel(label), Buffer.from('rest')]);
    for (let at = 1; at < LABEL_BYTES; at++) {
      const reader = makeLabelReader();
      assert.equal(reader.push(all.subarray(0, at)), undefined);
      assert.deepEqual(reader.push(all.subarray(at)), { label, rest: Buffer.from('rest') });
    }
  });
  it('other bytes → wrong', () => assert.equal(makeLabelReader().push(Buffer.alloc(LABEL_BYTES, 'x')), 'wrong'));
});

describe('drawFaults', () => {
  const draw = (seed: number): string[] => {
    const random = makeRandom(seed);
    const drawn = Array.from({ length: 300 }, () => drawFaults({ random, sorts: FAULT_SORTS, smallDisk: 'west' }));
    return drawn.map((faults) => faults.map(formatFault).join(' and '));
  };
  it('one seed → the same faults, with every sort among them; another → others', () => {
    assert.deepEqual(draw(1), draw(1));
    assert.notDeepEqual(draw(1), draw(2));
    for (const sort of FAULT_SORTS)
      assert.ok(
        draw(1).some((text) => text.includes(`${sort} `)),
        sort,
      );
    assert.ok(draw(1).some((text) => text.includes(' and ')));
  });
  it('two at once → never of the same process or the same folder', () => {
    for (const text of draw(3).filter((line) => line.includes(' and '))) {
      const [first = [], second = []] = text.split(' and ').map((fault) => fault.split(' '));
      const kind = (sort = ''): string =>
        ['kill', 'stop', 'full'].includes(sort) ? 'process' : ['cut', 'stall'].includes(sort) ? 'link' : 'manifests';
      if ([first[0], second[0]].some((sort) => kind(sort) === 'link' || sort === 'clock')) continue;
      assert.notEqual(`${kind(first[0])} ${first[1]}`, `${kind(second[0])} ${second[1]}`, text);
    }
  });
});

describe('compare', () => {
  const wanted: Picture = new Map([['west Peer /east', { content: '{\n "a": 1\n}', identity: 'u1' }]]);
  const seen = (content: string, identity: string): Picture => new Map([['west Peer /east', { content, identity }]]);
  it('the same → nothing', () => assert.deepEqual(compare({ wanted, seen: wanted, withIdentity: true }), []));
  it('missing, changed, new, made anew → each told', () => {
    assert.match(compare({ wanted, seen: new Map(), withIdentity: true }).join(), /missing/);
    assert.match(
      compare({ wanted, seen: seen('{\n "a": 2\n}', 'u1'), withIdentity: true }).join(),
      /"a": 1 became "a": 2/,
    );
    assert.match(compare({ wanted: new Map(), seen: wanted, withIdentity: true }).join(), /new/);
    const anew = seen('{\n "a": 1\n}', 'u2');
    assert.match(compare({ wanted, seen: anew, withIdentity: true }).join(), /another object/);
    assert.deepEqual(compare({ wanted, seen: anew, withIdentity: false }), []);
  });
});
