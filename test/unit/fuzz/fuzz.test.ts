/** The fuzzer itself: what looks for defects must find one that is there. */
import assert from 'node:assert/strict';
import { makeRandom } from '#test/chaos/random.ts';
import { mutate } from '#test/fuzz/mutate.ts';
import { fuzz } from '#test/fuzz/run.ts';
import { TARGETS } from '#test/fuzz/targets.ts';
import { parsePlanted } from './planted.ts';

const watched = new URL('planted.ts', import.meta.url).href;

describe('fuzz', function () {
  this.timeout(30_000);

  it('a defect behind three conditions → found, with the input that shows it', async () => {
    const target = {
      name: 'planted',
      seeds: [Buffer.alloc(3)],
      bytesMax: 8,
      check: (bytes: Buffer) => void parsePlanted(bytes),
    };
    const said: string[] = [];
    const { findings, kept } = await fuzz({
      targets: [target],
      msPerTarget: 20_000,
      seed: 1,
      watched,
      say: (line) => void said.push(line),
    });
    assert.ok(kept >= 3, said.join());
    const [first] = findings;
    assert.match(first?.error ?? '', /planted/);
    assert.throws(() => parsePlanted(Buffer.from(first?.input ?? '', 'base64')), /planted/);
  });
});

describe('mutate', () => {
  it('one seed → the same inputs, none longer than the bound, most of them others', () => {
    const corpus = [Buffer.from('one input'), Buffer.from('another')];
    const draw = (seed: number): string[] => {
      const random = makeRandom(seed);
      return Array.from({ length: 500 }, () => mutate(corpus, random, 12).toString('hex'));
    };
    assert.deepEqual(draw(7), draw(7));
    assert.ok(draw(7).every((hex) => hex.length <= 24));
    assert.ok(new Set(draw(7)).size > 400);
  });
});

describe('targets of fuzzing', () => {
  for (const { name, seeds, check } of TARGETS) {
    it(`${name}: what is valid → nothing wrong`, () => seeds.forEach((seed) => check(seed)));
  }
});
