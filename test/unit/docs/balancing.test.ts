import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { ClusterImportRule, type IClusterImportRule } from '#src/api/generated/ClusterImportRule.ts';
import { importRuleProblems } from '#src/api/validation/import-rule.ts';
import type { JsonObject } from '#src/api/validation/json.ts';
import { makeBalancing } from '#src/merge/balancing.ts';
import { findRuleProblem } from '#src/merge/rule.ts';
import { codeBlocksOf, codeOf, readDocument, rowsOf, sectionOf } from './markdown.ts';

const TEXT = readDocument('docs/BALANCING.md');

describe('docs/BALANCING.md', () => {
  it('the example → a rule without a fault, that says what the text says', () => {
    const rules = codeBlocksOf(TEXT, 'yaml').map((block) => parse(block) as IClusterImportRule);
    const [rule] = rules;
    assert.ok(rules.length === 1 && rule !== undefined);
    new ClusterImportRule(rule).validate();
    assert.deepEqual(importRuleProblems(rule as unknown as JsonObject), []);
    assert.equal(findRuleProblem(rule), undefined);
    const { balanceOf } = makeBalancing(rule);
    assert.deepEqual(['east', 'south', 'north'].map(balanceOf), [{ weight: 3 }, {}, { priority: 1 }]);
  });

  it('the table of schemes → each that the schema knows, and no other', () => {
    const documented = rowsOf(sectionOf(TEXT, 'What goes before what').text).map(({ scheme = '' }) => codeOf(scheme));
    const schema = parse(readDocument('crds/mcs.clusterlink.net_clusterimportrules.yaml')) as {
      spec: { versions: { schema: { openAPIV3Schema: JsonObject } }[] };
    };
    const path = ['properties', 'spec', 'properties', 'loadBalancing', 'properties', 'scheme', 'enum'];
    const known = path.reduce<unknown>(
      (value, step) => (value as JsonObject)[step],
      schema.spec.versions[0]?.schema.openAPIV3Schema,
    );
    assert.deepEqual(documented, known);
  });
});
