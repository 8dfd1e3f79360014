/** What the people of one namespace can ask for: not what others need (IMP-08, DESIGN §3.7). */
import assert from 'node:assert/strict';
import { IMPORTS_PER_NAMESPACE_MAX, PORTS_PER_NAMESPACE_MAX, RULES_PER_NAMESPACE_MAX } from '#src/merge/limits.ts';
import type { ImportRequest, MergeResult } from '#src/merge/types.ts';
import { bindingsOf, clusterRule, mergeScene, ports, rule, said } from './fixtures.ts';

const list = (count: number, first = 0) =>
  Array.from({ length: count }, (_, index) => said(`east/shop/s${String(first + index).padStart(5, '0')}`));
const namesIn = ({ imports }: MergeResult, namespace: string): string[] =>
  imports.filter(({ key }) => key.namespace === namespace).map(({ key }) => key.name);
const reasonsOf = ({ ruleStatuses }: MergeResult): (string | undefined)[] =>
  ruleStatuses.map(({ skipped }) => skipped[0]?.reason);

describe('merge: limits of a namespace', () => {
  const [most, more] = [list(IMPORTS_PER_NAMESPACE_MAX), list(IMPORTS_PER_NAMESPACE_MAX + 1)];

  it('an ImportRule, as many imports as there may be → all; one more → LimitReached', () => {
    const [atLimit, beyond] = [most, more].map((records) => mergeScene({ records, rules: [rule('a')] }));
    assert.ok(atLimit !== undefined && beyond !== undefined);
    assert.deepEqual([atLimit.imports.length, ...reasonsOf(atLimit)], [IMPORTS_PER_NAMESPACE_MAX, undefined]);
    assert.deepEqual([beyond.imports.length, ...reasonsOf(beyond)], [IMPORTS_PER_NAMESPACE_MAX, 'LimitReached']);
  });

  it('two namespaces → each has its own', () => {
    const result = mergeScene({ records: more, rules: [rule('a'), rule('b')] });
    assert.deepEqual(
      ['a', 'b'].map((namespace) => namesIn(result, namespace).length),
      [IMPORTS_PER_NAMESPACE_MAX, IMPORTS_PER_NAMESPACE_MAX],
    );
  });

  it('a ClusterImportRule is the administrator’s → no limit but that of the peer', () => {
    assert.equal(mergeScene({ records: more }).imports.length, IMPORTS_PER_NAMESPACE_MAX + 1);
  });

  it('ServiceImports of others under a ClusterImportRule of mode Requested → count', () => {
    const requests = more.map(({ record }): ImportRequest => ({
      key: { namespace: 'store', name: record.name },
      type: 'ClusterSetIP',
      ports: [],
    }));
    const result = mergeScene({ records: more, rules: [clusterRule({ mode: 'Requested' })], requests });
    assert.equal(result.imports.length, IMPORTS_PER_NAMESPACE_MAX);
  });

  it('too many → those in use stay', () => {
    const last = list(1, 99_999);
    const previous = bindingsOf(mergeScene({ records: last, rules: [rule('a')] }));
    const result = mergeScene({ records: [...more, ...last], rules: [rule('a')], previous });
    assert.ok(namesIn(result, 'a').includes('s99999'));
  });

  it('ports of all imports together, at the limit → all; one more → the import that does not fit is skipped', () => {
    const wide = ports(Array.from({ length: 50 }, (_, index) => `p${index}/TCP/${index + 1}`).join(' '));
    const records = list(PORTS_PER_NAMESPACE_MAX / 50 + 1).map(({ peer, record }) => ({
      peer,
      record: { ...record, ports: wide },
    }));
    const [atLimit, beyond] = [records.slice(1), records].map((some) =>
      mergeScene({ records: some, rules: [rule('a')] }),
    );
    assert.deepEqual([atLimit?.imports.length, beyond?.imports.length], [records.length - 1, records.length - 1]);
    assert.match(beyond?.ruleStatuses[0]?.skipped[0]?.message ?? '', /does not fit into the 2000 ports/);
  });

  it('ImportRules of one namespace beyond the limit → Valid=False, by precedence; those of others count', () => {
    const rules = Array.from({ length: RULES_PER_NAMESPACE_MAX + 1 }, (_, index) =>
      rule('a', { name: `r${index}`, priority: -index }),
    );
    const { ruleStatuses } = mergeScene({ records: list(1), rules: [...rules, rule('b', { priority: -1_000 })] });
    const invalid = ruleStatuses.filter(({ conditions }) => conditions[0]?.status === 'False');
    assert.deepEqual(
      invalid.map(({ key, conditions }) => [key.name, conditions[0]?.reason]),
      [[`r${RULES_PER_NAMESPACE_MAX}`, 'LimitReached']],
    );
  });
});
