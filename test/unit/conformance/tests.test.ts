import assert from 'node:assert/strict';
import { TESTS } from '#test/conformance/tests/index.ts';

const LABELS = [
  'DNS',
  'Connectivity',
  'ClusterIP',
  'Headless',
  'ExternalName',
  'EndpointSlice',
  'ExportedLabels',
  'StrictPortConflict',
];
const OPTIONAL = 'C-O01 C-O02 C-O02b C-O03 C-O04a C-O05 C-O06 C-O07 C-O08 C-O09 C-O10 C-O11 C-O13';

describe('TESTS', () => {
  it('27 tests, 14 of them Required, in the order of the specification brief', () => {
    const idsOf = (group: string) => TESTS.filter((test) => test.group === group).map(({ id }) => id);
    const required = Array.from({ length: 14 }, (_, index) => `C-R${String(index + 1).padStart(2, '0')}`);
    assert.deepEqual(idsOf('Required'), required);
    assert.deepEqual(idsOf('Optional'), OPTIONAL.split(' '));
    assert.equal(TESTS.length, 27);
  });

  it('two clusters → eight tests', () => {
    const two = TESTS.filter(({ clusters }) => clusters === 2).map(({ id }) => id);
    assert.deepEqual(two, ['C-R02', 'C-R09', 'C-R10', 'C-R14', 'C-O05', 'C-O09', 'C-O10', 'C-O11']);
  });

  for (const { id, title, labels, ref } of TESTS) {
    it(`${id} → has known labels, a title and a reference`, () => {
      assert.deepEqual(
        labels.filter((label) => !LABELS.includes(label)),
        [],
      );
      assert.match(title, /\bshould\b/);
      assert.match(ref, /^https:\/\/github\.com\/kubernetes\/enhancements\/.*#[a-z-]+$/);
    });
  }

  it('titles → each its own', () => assert.equal(new Set(TESTS.map(({ title }) => title)).size, TESTS.length));
});
