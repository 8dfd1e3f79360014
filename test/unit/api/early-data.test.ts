import assert from 'node:assert/strict';
import { describeEarlyDataProblem, findEarlyDataProblem, isEarlyDataOff } from '#src/api/early-data.ts';
import type { KindName } from '#src/api/kinds.ts';
import { ourAnnotationProblems } from '#src/api/validation/our-annotations.ts';

const annotated = (text: string) => ({ annotations: { 'mcs.clusterlink.net/early-data': text } });

describe('findEarlyDataProblem', () => {
  it('off → none, and it is off', () => {
    assert.equal(findEarlyDataProblem('off'), undefined);
    assert.equal(describeEarlyDataProblem(annotated('off')), undefined);
    assert.equal(isEarlyDataOff(annotated('off')), true);
  });

  for (const text of ['', 'Off', 'false', 'on', ' off', 'never']) {
    it(`${JSON.stringify(text)} → what to write, and it is not off`, () => {
      assert.match(findEarlyDataProblem(text)?.message ?? '', /^must be "off", is /);
      assert.match(describeEarlyDataProblem(annotated(text)) ?? '', /^metadata\.annotations\.mcs.*\. Fix: Write "off"/);
      assert.equal(isEarlyDataOff(annotated(text)), false);
    });
  }

  it('no annotation → nothing wrong, and not off', () => {
    for (const metadata of [undefined, {}, { annotations: {} }]) {
      assert.deepEqual([describeEarlyDataProblem(metadata), isEarlyDataOff(metadata)], [undefined, false]);
    }
  });
});

describe('ourAnnotationProblems, early-data', () => {
  const problems = (kind: KindName, text: string) =>
    ourAnnotationProblems(kind, { metadata: annotated(text) }).map(({ message }) => message);

  for (const kind of ['ServiceImport', 'Import', 'ImportRule', 'ClusterImportRule'] as const) {
    it(`${kind} → taken, and its value is read`, () => {
      assert.deepEqual(problems(kind, 'off'), []);
      assert.deepEqual(problems(kind, 'no'), ['must be "off", is "no"']);
    });
  }

  it('on an export → means nothing there', () => {
    assert.match(problems('ServiceExport', 'off')[0] ?? '', /means nothing on a ServiceExport/);
  });
});
