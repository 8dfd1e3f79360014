import assert from 'node:assert/strict';
import type { ConditionDraft } from '#src/api/conditions.ts';
import type { IClusterImportRule } from '#src/api/generated/ClusterImportRule.ts';
import { IMPORTED_LISTED_MAX, IMPORTS_MAX, SKIPPED_LISTED_MAX } from '#src/merge/limits.ts';
import type { AnyImportRule, MergeRecord, MergeResult, RuleStatus } from '#src/merge/types.ts';
import { bindingsOf, clusterRule, day, mergeScene, peers, ports, rule, said, sceneInput } from './fixtures.ts';
import { merge } from '#src/merge/merge.ts';

/** `namespace/name < source, source` for each import. */
function formatImports({ imports }: MergeResult): string[] {
  return imports.map(({ key, sources }) => {
    const from = sources.map(({ peer, namespace, name }) => `${peer}/${namespace}/${name}`);
    return `${key.namespace}/${key.name} < ${from.join(', ')}`;
  });
}

function skips({ ruleStatuses }: MergeResult): string[] {
  return ruleStatuses.flatMap(({ skipped }) => skipped.map(({ source, reason }) => `${source} ${reason}`));
}

function statusOf({ ruleStatuses }: MergeResult, name: string): RuleStatus {
  const status = ruleStatuses.find(({ key }) => key.name === name);
  assert.ok(status, `no status of ${name}`);
  return status;
}

function conditionOf(status: RuleStatus | undefined, type: string): ConditionDraft {
  const condition = status?.conditions.find((draft) => draft.type === type);
  assert.ok(condition, `no condition ${type}`);
  return condition;
}

const RECORDS = [
  said('east/shop/db', { labels: { tier: 'gold' } }),
  said('east/shop/web'),
  said('east/other/db'),
  said('west/shop/db'),
  said('self/shop/db'),
];
const PEERS = peers('east', 'west', 'self').map((peer) =>
  peer.name === 'east' ? { ...peer, labels: { zone: 'eu' } } : peer,
);
const ALL = { all: true };
const SAME = { sameNamespace: true };

describe('merge: what a rule selects', () => {
  const ROWS: [title: string, spec: Partial<IClusterImportRule['spec']>, imports: string[]][] = [
    [
      'IMP-04, NSS-01: all peers, all exports, sameNamespace',
      { peers: ALL, exports: ALL, into: SAME },
      ['other/db < east/other/db', 'shop/db < east/shop/db, self/shop/db, west/shop/db', 'shop/web < east/shop/web'],
    ],
    [
      'peers by name',
      { peers: { names: ['west', 'unheard-of'] }, exports: { namespaces: ['shop'] } },
      ['store/db < west/shop/db'],
    ],
    [
      'peers by labels of the local Peer objects',
      { peers: { selector: { matchLabels: { zone: 'eu' } } }, exports: { names: ['web'] } },
      ['store/web < east/shop/web'],
    ],
    [
      'peers that lack a label',
      { peers: { selector: { matchExpressions: [{ key: 'zone', operator: 'DoesNotExist' }] } } },
      ['store/db < self/shop/db, west/shop/db'],
    ],
    ['exports by labels', { exports: { selector: { matchLabels: { tier: 'gold' } } } }, ['store/db < east/shop/db']],
    [
      'exports by namespace and name',
      { exports: { namespaces: ['shop', 'other'], names: ['web'] } },
      ['store/web < east/shop/web'],
    ],
    ['nothing that is there', { exports: { namespaces: ['nowhere'] } }, []],
    [
      'a template of name, namespace and peer',
      { exports: { names: ['web'] }, into: { namespace: 'store', name: '{peer}-{namespace}-{name}' } },
      ['store/east-shop-web < east/shop/web'],
    ],
  ];
  for (const [title, spec, imports] of ROWS) {
    it(`${title} → ${imports.length} imports`, () => {
      const result = mergeScene({ records: RECORDS, rules: [clusterRule(spec)], peers: PEERS });
      assert.deepEqual(formatImports(result), imports);
    });
  }

  it('NSS-02: an ImportRule → names of its own namespace only', () => {
    const result = mergeScene({ records: RECORDS, rules: [rule('team', { peers: { names: ['west'] } })] });
    assert.deepEqual(formatImports(result), ['team/db < west/shop/db']);
    assert.deepEqual(result.imports[0]?.owner, { kind: 'ImportRule', namespace: 'team', name: 'rule' });
  });

  it('a peer of which there is no Peer object → its records count for nothing', () => {
    const result = mergeScene({ records: RECORDS, rules: [clusterRule()], peers: peers('west') });
    assert.deepEqual(formatImports(result), ['store/db < west/shop/db']);
  });

  it('no rule → no import (NSS-04)', () => {
    assert.deepEqual(mergeScene({ records: RECORDS, rules: [] }), {
      imports: [],
      verdicts: [],
      ruleStatuses: [],
      unmet: [],
      importStatuses: [],
    });
  });

  it('loadBalancing in part → completed', () => {
    const rules = [clusterRule({ loadBalancing: { localFirst: false } })];
    const [merged] = mergeScene({ records: RECORDS, rules }).imports;
    assert.deepEqual(merged?.loadBalancing, { scheme: 'RoundRobin', localFirst: false });
  });

  it('loadBalancing by peer → with each source of that peer, and nothing that is as ever', () => {
    const balanced = [{ name: 'west', priority: 1, weight: 3 }];
    const rules = [clusterRule({ loadBalancing: { peers: balanced } })];
    const [merged] = mergeScene({ records: [said('east/shop/db'), said('west/shop/db')], rules }).imports;
    assert.deepEqual(
      merged?.sources.map(({ peer, priority, weight, order }) => [peer, priority, weight, order]),
      [
        ['east', undefined, undefined, undefined],
        ['west', 1, 3, undefined],
      ],
    );
  });

  it('a peer twice in loadBalancing → the rule imports nothing, and says why', () => {
    const rules = [clusterRule({ loadBalancing: { peers: [{ name: 'east' }, { name: 'east', weight: 2 }] } })];
    const { imports, ruleStatuses } = mergeScene({ records: RECORDS, rules });
    assert.deepEqual(imports, []);
    assert.match(ruleStatuses[0]?.conditions[0]?.message ?? '', /loadBalancing\.peers has a peer twice/);
  });
});

describe('merge: what becomes no import', () => {
  const ROWS: [title: string, source: string, spec: Partial<IClusterImportRule['spec']>, outcome: string][] = [
    ['NSS-03 sameNamespace', 'east/kube-system/db', { exports: ALL, into: SAME }, 'RestrictedNamespace'],
    ['NSS-03 exports.all', 'east/default/db', { exports: ALL }, 'RestrictedNamespace'],
    ['NSS-03 namespaces absent', 'east/openshift-dns/db', { exports: { names: ['db'] } }, 'RestrictedNamespace'],
    ['listed, sameNamespace', 'east/default/db', { exports: { namespaces: ['default'] }, into: SAME }, 'default/db'],
    ['into a listed one', 'east/shop/db', { exports: ALL, into: { namespace: 'kube-system' } }, 'kube-system/db'],
    ['a name of 63', `east/shop/${'n'.repeat(63)}`, {}, `store/${'n'.repeat(63)}`],
    [
      'DNS-26 a name of 64',
      `east/shop/${'n'.repeat(62)}`,
      { into: { namespace: 'store', name: '{name}-x' } },
      'NameTooLong',
    ],
    ['a name that ends in -', 'east/shop/db', { into: { namespace: 'store', name: '{name}-' } }, 'InvalidName'],
    ['an export with a dot', 'east/shop/db.x', {}, 'InvalidName'],
  ];
  for (const [title, source, spec, outcome] of ROWS) {
    it(`${title}: ${source.slice(0, 24)} → ${outcome.slice(0, 24)}`, () => {
      const result = mergeScene({ records: [said(source)], rules: [clusterRule(spec)] });
      const found = result.imports.map(({ key }) => `${key.namespace}/${key.name}`);
      assert.deepEqual(
        [...found, ...result.ruleStatuses.flatMap(({ skipped }) => skipped.map((skip) => skip.reason))],
        [outcome],
      );
      assert.equal(result.ruleStatuses[0]?.matched, 1);
    });
  }

  it('a record that requires something → UnknownFeature, without its words', () => {
    const result = mergeScene({ records: [said('east/shop/db', { requires: ['\u001b[31mred'] })] });
    assert.deepEqual(result.imports, []);
    assert.deepEqual(skips(result), ['east/shop/db UnknownFeature']);
    assert.doesNotMatch(result.ruleStatuses[0]?.skipped[0]?.message ?? '', /red/);
  });
});

describe('merge: one name, several exports', () => {
  const records = [
    said('east/a/db', { createdAt: day(2) }),
    said('west/a/db', { createdAt: day(3) }),
    said('north/b/db', { createdAt: day(1) }),
  ];
  const exports = { names: ['db'] };

  it('NSS 7.2: merge false → the exports of the oldest (namespace, name), of all peers', () => {
    const result = mergeScene({ records, rules: [clusterRule({ exports })] });
    assert.deepEqual(formatImports(result), ['store/db < north/b/db']);
    assert.deepEqual(skips(result), ['east/a/db SourceNotMerged', 'west/a/db SourceNotMerged']);
    assert.deepEqual(
      result.verdicts.map(({ source }) => source.peer),
      ['north'],
    );
  });

  it('merge false, and another (namespace, name) in use → what is in use stays', () => {
    const before = mergeScene({ records: records.slice(0, 2), rules: [clusterRule({ exports })] });
    const result = mergeScene({ records, rules: [clusterRule({ exports })], previous: bindingsOf(before) });
    assert.deepEqual(formatImports(result), ['store/db < east/a/db, west/a/db']);
    assert.deepEqual(skips(result), ['north/b/db SourceNotMerged']);
  });

  it('merge true → all, oldest first', () => {
    const result = mergeScene({ records, rules: [clusterRule({ exports, merge: true })] });
    assert.deepEqual(formatImports(result), ['store/db < north/b/db, east/a/db, west/a/db']);
    assert.deepEqual(skips(result), []);
  });

  it('two records for one export → the one created later', () => {
    const twice = [
      said('east/shop/db', { uid: 'new', createdAt: day(3), ports: ports('n/TCP/2') }),
      said('east/shop/db'),
    ];
    for (const list of [twice, twice.toReversed()]) {
      const result = mergeScene({ records: list });
      assert.deepEqual(result.imports[0]?.ports, ports('n/TCP/2'));
      assert.equal(result.imports[0]?.sources.length, 1);
    }
  });
});

describe('merge: one name, several rules', () => {
  const records = [said('east/shop/db'), said('east/shop/web'), said('west/shop/db')];
  const byName = (name: string, spec: Parameters<typeof clusterRule>[0] = {}): AnyImportRule =>
    clusterRule({ name, peers: { names: ['east'] }, ...spec });

  const ROWS: [title: string, winner: string, rules: AnyImportRule[]][] = [
    ['higher priority, though younger', 'b', [byName('a'), byName('b', { priority: 1, createdAt: day(9) })]],
    ['older', 'b', [byName('a', { createdAt: day(2) }), byName('b')]],
    ['equal age, by name', 'a', [byName('b'), byName('a')]],
    ['no date is the youngest', 'b', [byName('a', { createdAt: '' }), byName('b')]],
    ['a priority below the default', 'b', [byName('a', { priority: -1 }), byName('b')]],
  ];
  for (const [title, winner, rules] of ROWS) {
    it(`${title} → rule ${winner} has the names`, () => {
      const result = mergeScene({ records, rules });
      const loser = winner === 'a' ? 'b' : 'a';
      assert.deepEqual(
        result.imports.map(({ owner }) => owner.name),
        [winner, winner],
      );
      assert.deepEqual(conditionOf(statusOf(result, winner), 'Collision'), {
        type: 'Collision',
        status: 'False',
        reason: 'NoCollision',
        message: '',
      });
      assert.deepEqual(conditionOf(statusOf(result, loser), 'Collision'), {
        type: 'Collision',
        status: 'True',
        reason: 'NameTaken',
        message: `store/db belongs to ClusterImportRule ${winner}; store/web belongs to ClusterImportRule ${winner}.`,
      });
      assert.deepEqual(
        statusOf(result, loser).skipped.map(({ reason }) => reason),
        ['NameTaken', 'NameTaken'],
      );
    });
  }

  it('rules are never merged with each other: an export of another rule does not back the import', () => {
    const result = mergeScene({
      records,
      rules: [byName('a'), clusterRule({ name: 'b', peers: { names: ['west'] } })],
    });
    assert.deepEqual(formatImports(result), ['store/db < east/shop/db', 'store/web < east/shop/web']);
    assert.deepEqual(skips(result), ['west/shop/db NameTaken']);
  });

  it('a rule in a namespace and one of the administrator for one name → by order, both kinds alike', () => {
    const result = mergeScene({ records, rules: [clusterRule({ name: 'b' }), rule('store', { name: 'a' })] });
    assert.deepEqual(result.imports[0]?.owner, { kind: 'ImportRule', namespace: 'store', name: 'a' });
  });

  it('one export under two names → two imports, two verdicts', () => {
    const rules = [byName('a'), byName('b', { into: { namespace: 'bank' } })];
    const result = mergeScene({ records: [said('east/shop/db')], rules });
    assert.deepEqual(formatImports(result), ['bank/db < east/shop/db', 'store/db < east/shop/db']);
    assert.deepEqual(
      result.verdicts.map(({ import: key }) => key.namespace),
      ['bank', 'store'],
    );
  });
});

describe('merge: status of a rule', () => {
  const INVALID: [title: string, spec: Partial<IClusterImportRule['spec']>, reason: string][] = [
    ['aliases: one label', { aliases: ['db'] }, 'InvalidRule'],
    ['aliases: a name of the clusterset', { aliases: ['db.shop.svc.clusterset.local'] }, 'InvalidRule'],
    ['aliases: an unknown word', { aliases: ['{peer}.corp.example'] }, 'InvalidRule'],
    ['peers: nothing', { peers: {} }, 'InvalidRule'],
    ['peers: all false', { peers: { all: false } }, 'InvalidRule'],
    ['peers: names and all', { peers: { names: ['east'], all: true } }, 'InvalidRule'],
    [
      'peers: a NotIn without values',
      { peers: { selector: { matchExpressions: [{ key: 'a', operator: 'NotIn' }] } } },
      'InvalidRule',
    ],
    ['exports: nothing', { exports: {} }, 'InvalidRule'],
    ['exports: all and names', { exports: { all: true, names: ['db'] } }, 'InvalidRule'],
    ['into: nothing', { into: {} }, 'InvalidRule'],
    ['into: namespace and sameNamespace', { into: { namespace: 'store', sameNamespace: true } }, 'InvalidRule'],
    ['into: no namespace name', { into: { namespace: 'Store' } }, 'InvalidRule'],
    ['into: an unknown word', { into: { namespace: 'store', name: '{cluster}-{name}' } }, 'InvalidRule'],
    ['into: an empty template', { into: { namespace: 'store', name: '' } }, 'InvalidRule'],
  ];
  for (const [title, spec, reason] of INVALID) {
    it(`${title} → Valid False ${reason}, and nothing is imported`, () => {
      const result = mergeScene({ records: RECORDS, rules: [clusterRule(spec)] });
      assert.deepEqual(result.imports, []);
      const { status, reason: found, message } = conditionOf(result.ruleStatuses[0], 'Valid');
      assert.deepEqual([status, found], ['False', reason]);
      assert.notEqual(message, '');
    });
  }

  it('a good rule → Valid True, what matched and what is imported, sorted', () => {
    const [status] = mergeScene({ records: RECORDS.toReversed(), rules: [clusterRule()] }).ruleStatuses;
    assert.deepEqual(conditionOf(status, 'Valid'), { type: 'Valid', status: 'True', reason: 'Valid', message: '' });
    assert.equal(status?.matched, 4);
    assert.deepEqual(status?.imported, [
      { source: 'east/shop/db', as: 'store/db' },
      { source: 'east/shop/web', as: 'store/web' },
      { source: 'self/shop/db', as: 'store/db' },
      { source: 'west/shop/db', as: 'store/db' },
    ]);
  });

  it('more skipped than a status lists → the first, and the number', () => {
    const list = (count: number): MergeRecord[] =>
      Array.from({ length: count }, (_, index) => said(`east/shop/db-${index}`, { requires: ['x'] }));
    const [full] = mergeScene({ records: list(SKIPPED_LISTED_MAX) }).ruleStatuses;
    assert.equal(full?.skipped.length, SKIPPED_LISTED_MAX);
    assert.equal(conditionOf(full, 'Valid').message, '');
    const [beyond] = mergeScene({ records: list(SKIPPED_LISTED_MAX + 1) }).ruleStatuses;
    assert.equal(beyond?.skipped.length, SKIPPED_LISTED_MAX);
    assert.match(conditionOf(beyond, 'Valid').message, new RegExp(`^${SKIPPED_LISTED_MAX + 1} exports are skipped`));
  });
});

describe('merge: bounds', () => {
  it('more imported than a status lists → the first, and the number', () => {
    const full = mergeScene({ records: list(IMPORTED_LISTED_MAX, 'east') });
    assert.equal(conditionOf(full.ruleStatuses[0], 'Valid').message, '');
    const beyond = mergeScene({ records: list(IMPORTED_LISTED_MAX + 1, 'east') });
    assert.equal(beyond.imports.length, IMPORTED_LISTED_MAX + 1);
    assert.equal(beyond.ruleStatuses[0]?.imported.length, IMPORTED_LISTED_MAX);
    assert.match(conditionOf(beyond.ruleStatuses[0], 'Valid').message, /^1001 exports are imported, 1000 listed/);
  });

  const list = (count: number, peer: string): MergeRecord[] =>
    Array.from({ length: count }, (_, index) => said(`${peer}/shop/${peer}-${index}`));

  it('more names than a peer may import → those in use stay, the new ones are LimitReached', () => {
    const inUse = list(2, 'west');
    const previous = bindingsOf(mergeScene({ records: inUse }));
    const records = [...list(IMPORTS_MAX - 1, 'east'), ...inUse];
    const { imports, ruleStatuses } = merge(sceneInput({ records, previous }));
    assert.equal(imports.length, IMPORTS_MAX);
    assert.equal(imports.filter(({ sources }) => sources[0]?.peer === 'west').length, 2);
    assert.deepEqual(
      ruleStatuses[0]?.skipped.map(({ reason }) => reason),
      ['LimitReached'],
    );
  });

  it('more ports than an import may have → the union is cut, and the rule says so', () => {
    const numbered = (from: number) => Array.from({ length: 40 }, (_, index) => `p${from + index}/TCP/${from + index}`);
    const result = mergeScene({
      records: [
        said('east/shop/db', { createdAt: day(1), ports: ports(numbered(1).join(' ')) }),
        said('west/shop/db', { createdAt: day(2), ports: ports(numbered(100).join(' ')) }),
      ],
    });
    assert.equal(result.imports[0]?.ports.length, 64);
    assert.deepEqual(skips(result), ['west/shop/db LimitReached']);
    assert.equal(result.imports[0]?.sources.length, 2);
  });

  it('four times the records, 10 rules that select all of them → far from sixteen times the work', () => {
    const rules = Array.from({ length: 10 }, (_, index) => clusterRule({ name: `r${index}` }));
    const costOf = (count: number): number => {
      const input = sceneInput({ records: list(count / 2, 'east').concat(list(count / 2, 'west')), rules });
      // Of the processor, and the best of five: the others measure what else the machine does.
      const costs = Array.from({ length: 5 }, () => {
        const before = process.cpuUsage();
        assert.equal(merge(input).imports.length, count);
        const { user, system } = process.cpuUsage(before);
        return user + system;
      });
      return Math.min(...costs);
    };
    costOf(1_000);
    const ratio = costOf(1_000) / costOf(250);
    assert.ok(ratio < 12, `${ratio} times`);
  });
});
