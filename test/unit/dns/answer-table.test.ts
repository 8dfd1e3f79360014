import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AnswerTable, type EncodedAnswer, type Place } from '#src/dns/answer-table.ts';

const octets = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));
const count = fc.nat(100);
const answer = fc
  .record({
    parts: fc.array(octets(20), { maxLength: 5 }),
    rest: octets(20),
    rcode: fc.nat(15),
    authorities: count,
    additionals: count,
  })
  .map(({ parts, rest, ...header }) => {
    const starts = [0];
    for (const part of parts) starts.push((starts.at(-1) ?? 0) + part.length);
    return { ...header, parts, rest, starts, bytes: Buffer.concat([...parts, rest]) };
  });
type Given = EncodedAnswer & { readonly parts: readonly Buffer[]; readonly rest: Buffer };

function bodyAt(table: AnswerTable, place: Place, first: number): Buffer {
  const target = Buffer.alloc(table.bytes(place) + 2, 0xee);
  table.copy(place, first, target, 1);
  assert.deepEqual([target.at(0), target.at(-1)], [0xee, 0xee], 'written beside its place');
  return target.subarray(1, -1);
}

function check(table: AnswerTable, place: Place, { parts, rest, ...given }: Given): void {
  assert.equal(table.rcode(place), given.rcode);
  assert.deepEqual(
    [table.answers(place), table.authorities(place), table.additionals(place)],
    [parts.length, given.authorities, given.additionals],
  );
  for (let first = 0; first < Math.max(1, parts.length); first++) {
    assert.deepEqual(
      bodyAt(table, place, first),
      Buffer.concat([...parts.slice(first), ...parts.slice(0, first), rest]),
    );
  }
}

describe('AnswerTable', () => {
  it('any answers by any keys, whose hashes may be the same → each found by its own, from any answer on', () => {
    // Few hashes, among them the ends of the slots, so that searches go on and around.
    const hash = fc.constantFrom(0, 1, 1_023, -1, 0x7fff_ffff, -0x8000_0000);
    const entry = fc.record({ key: octets(40), hash, given: answer });
    const entries = fc.uniqueArray(entry, { maxLength: 40, selector: ({ key }) => key.toString('hex') });
    fc.assert(
      fc.property(entries, octets(40), (list, stranger) => {
        const table = new AnswerTable({ answersMax: 512, memoryBytesMax: 1 << 20 });
        for (const { key, hash, given } of list) {
          assert.equal(table.find(key, key.length, hash), 0);
          check(table, table.add(key, key.length, hash, given), given);
        }
        for (const { key, hash, given } of list) check(table, table.find(key, key.length, hash), given);
        const isThere = list.some(({ key, hash }) => hash === 1 && key.equals(stranger));
        assert.equal(table.find(stranger, stranger.length, 1) !== 0, isThere);
        table.clear();
        for (const { key, hash } of list) assert.equal(table.find(key, key.length, hash), 0);
      }),
    );
  });

  const plain = (bytes: number): EncodedAnswer => ({
    rcode: 0,
    bytes: Buffer.alloc(bytes, 7),
    starts: [0],
    authorities: 0,
    additionals: 0,
  });
  const keyOf = (index: number): Buffer => Buffer.from([index >> 8, index & 0xff]);
  it('thousands of answers → each found, though the slots have become more meanwhile, and again after it began anew', () => {
    const table = new AnswerTable({ answersMax: 8_192, memoryBytesMax: 1 << 20 });
    for (const round of [1, 2]) {
      const indexes = Array.from({ length: 5_000 }, (_, index) => index);
      // Hashes that leave most slots free, and the others crowded.
      const hashOf = (index: number): number => Math.imul(index, 0x0100_0007) & ~0xff;
      for (const index of indexes) table.add(keyOf(index), 2, hashOf(index), { ...plain(8), authorities: index % 100 });
      for (const index of indexes) {
        const place = table.find(keyOf(index), 2, hashOf(index));
        assert.ok(place > 0, `round ${round}: ${index} is not there`);
        assert.equal(table.authorities(place), index % 100);
      }
      table.clear();
    }
  });

  const limits = [
    { what: 'answers', table: () => new AnswerTable({ answersMax: 64, memoryBytesMax: 1 << 20 }), kept: 64, bytes: 8 },
    {
      what: 'memory',
      table: () => new AnswerTable({ answersMax: 4_096, memoryBytesMax: 1 << 18 }),
      kept: 255,
      bytes: 1_000,
    },
  ];
  for (const { what, table: make, kept, bytes } of limits) {
    it(`more ${what} than it may have → it begins anew, and knows the last ones`, () => {
      const table = make();
      for (let index = 0; index < kept; index++) table.add(keyOf(index), 2, index, plain(bytes));
      assert.notEqual(table.find(keyOf(0), 2, 0), 0);
      for (let index = kept; index < kept + 10; index++) table.add(keyOf(index), 2, index, plain(bytes));
      assert.equal(table.find(keyOf(0), 2, 0), 0);
      const last = table.find(keyOf(kept + 9), 2, kept + 9);
      assert.deepEqual(bodyAt(table, last, 0), plain(bytes).bytes);
    });
  }
});
