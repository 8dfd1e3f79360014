/** Which imports opt out of early data: said on the rule, on the ServiceImport that asks, or on the Import. */
import assert from 'node:assert/strict';
import type { ObjectMeta } from '#src/api/object.ts';
import { toRequest } from '#src/merge/requests.ts';
import type { AnyImportRule, ImportRequest, MergeResult } from '#src/merge/types.ts';
import { clusterRule, mergeScene, rule, said, written } from './fixtures.ts';

const RECORDS = [said('east/shop/db')];
const annotated = (text: string) => ({ annotations: { 'mcs.clusterlink.net/early-data': text } });

function withAnnotation<R extends AnyImportRule>(made: R, text: string): R {
  return { ...made, metadata: { ...(made.metadata as ObjectMeta), ...annotated(text) } };
}
function request(text?: string): ImportRequest {
  return toRequest({
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceImport',
    metadata: { namespace: 'store', name: 'db', ...(text === undefined ? {} : annotated(text)) },
    spec: { type: 'ClusterSetIP', ports: [] },
  });
}
const earlyDataOf = ({ imports }: MergeResult) => imports.map(({ earlyData }) => earlyData);

describe('merge: early data', () => {
  const requested = clusterRule({ mode: 'Requested' });
  const table: [title: string, scene: Parameters<typeof mergeScene>[0], want: ('Off' | undefined)[]][] = [
    ['nobody says anything', { records: RECORDS }, [undefined]],
    ['off on a ClusterImportRule', { records: RECORDS, rules: [withAnnotation(clusterRule(), 'off')] }, ['Off']],
    ['off on an ImportRule', { records: RECORDS, rules: [withAnnotation(rule('store'), 'off')] }, ['Off']],
    [
      'off on the ServiceImport that asks',
      { records: RECORDS, rules: [requested], requests: [request('off')] },
      ['Off'],
    ],
    [
      'off on the rule that answers it',
      { records: RECORDS, rules: [withAnnotation(requested, 'off')], requests: [request()] },
      ['Off'],
    ],
    ['neither', { records: RECORDS, rules: [requested], requests: [request()] }, [undefined]],
    [
      'off on an Import',
      { records: [], rules: [], imports: [written('store/db', ['cl/a/b'], { metadata: annotated('off') })] },
      ['Off'],
    ],
  ];
  for (const [title, scene, want] of table) {
    it(`${title} → ${String(want[0])}`, () => assert.deepEqual(earlyDataOf(mergeScene(scene)), want));
  }

  it('a value that cannot be read → the rule, the Import and the ServiceImport are invalid, and import nothing', () => {
    const byRule = mergeScene({ records: RECORDS, rules: [withAnnotation(clusterRule(), 'no')] });
    const [valid] = byRule.ruleStatuses[0]?.conditions ?? [];
    assert.deepEqual([byRule.imports, valid?.status, valid?.reason], [[], 'False', 'InvalidRule']);
    const imports = [written('store/db', ['cl/a/b'], { metadata: annotated('no') })];
    const byImport = mergeScene({ records: [], rules: [], imports });
    assert.deepEqual([byImport.imports, byImport.importStatuses[0]?.refusal?.reason], [[], 'InvalidImport']);
    const byRequest = mergeScene({ records: RECORDS, rules: [requested], requests: [request('no')] });
    assert.deepEqual([byRequest.imports, byRequest.unmet[0]?.reason], [[], 'InvalidRequest']);
  });
});
