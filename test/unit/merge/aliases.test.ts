import assert from 'node:assert/strict';
import { expandAlias, isAliasTemplate } from '#src/api/aliases.ts';
import { formatKey } from '#src/api/object.ts';
import { bindingsOf, clusterRule, mergeScene, said } from './fixtures.ts';

const RECORDS = [said('east/shop/db'), said('east/shop/web')];

describe('merge: aliases', () => {
  const aliasesOf = (result: ReturnType<typeof mergeScene>) =>
    Object.fromEntries(result.imports.map(({ key, aliases }) => [formatKey(key), aliases]));

  it('a template → a name for each import, sorted', () => {
    const rules = [clusterRule({ aliases: ['{name}.corp.example', '{name}.{namespace}.a.example'] })];
    assert.deepEqual(aliasesOf(mergeScene({ records: RECORDS, rules })), {
      'store/db': ['db.corp.example', 'db.store.a.example'],
      'store/web': ['web.corp.example', 'web.store.a.example'],
    });
  });

  it('one name for two imports → the first has it, and the rule’s Collision names the other', () => {
    const result = mergeScene({ records: RECORDS, rules: [clusterRule({ aliases: ['db.corp.example'] })] });
    assert.deepEqual(aliasesOf(result), { 'store/db': ['db.corp.example'], 'store/web': undefined });
    const collision = result.ruleStatuses[0]?.conditions.find(({ type }) => type === 'Collision');
    assert.match(collision?.message ?? '', /alias db\.corp\.example of store\/web belongs to import store\/db/);
  });

  it('in use by one → it stays there when an import of a lesser name comes', () => {
    const rules = [clusterRule({ aliases: ['db.corp.example'] })];
    const before = mergeScene({ records: [said('east/shop/web')], rules });
    const after = mergeScene({ records: RECORDS, rules, previous: bindingsOf(before) });
    assert.deepEqual(aliasesOf(after), { 'store/db': undefined, 'store/web': ['db.corp.example'] });
  });
});

describe('isAliasTemplate', () => {
  const cases: [template: string, want: boolean][] = [
    ['db.corp.example', true],
    ['{name}.{namespace}.example', true],
    ['db', false],
    ['', false],
    ['DB.example', false],
    ['*.example', false],
    ['{peer}.example', false],
    ['db..example', false],
    ['cluster.local', false],
    ['db.shop.svc.cluster.local', false],
    ['db.shop.svc.clusterset.local', false],
    ['notcluster.local', true],
    [`${'a'.repeat(64)}.example`, false],
    [`${'a'.repeat(63)}.example`, true],
  ];
  for (const [template, want] of cases) {
    it(`${JSON.stringify(template)} → ${want}`, () => assert.equal(isAliasTemplate(template), want));
  }
});

describe('expandAlias', () => {
  it('a label that becomes too long → no name', () => {
    const key = { namespace: 'store', name: 'a'.repeat(60) };
    assert.equal(expandAlias('{name}-{name}.example', key), undefined);
    assert.equal(expandAlias('{name}.example', key), `${key.name}.example`);
  });
});
