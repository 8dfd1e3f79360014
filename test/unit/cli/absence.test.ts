import assert from 'node:assert/strict';
import type { IClusterImportRule } from '#src/api/generated/ClusterImportRule.ts';
import { explainAbsence, type AbsenceInput } from '#src/cli/run/absence.ts';

type Rule = Partial<IClusterImportRule['spec']>;

function rule(spec: Rule, status: IClusterImportRule['status'] = {}): IClusterImportRule {
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ClusterImportRule',
    metadata: { name: 'one' },
    spec: { peers: { names: ['east'] }, exports: { namespaces: ['shop'] }, into: { namespace: 'store' }, ...spec },
    status,
  };
}

interface World {
  readonly rules?: readonly IClusterImportRule[];
  readonly imports?: readonly string[];
  readonly peers?: readonly string[];
  readonly offers?: readonly string[];
  readonly version?: string;
  readonly problems?: ReturnType<AbsenceInput['problems']>;
}

function makeInput({ rules = [], imports = [], peers = ['east'], offers = [], problems = [], ...more }: World) {
  const toKey = (text: string) => {
    const [namespace = '', name = ''] = text.split('/');
    return { namespace, name };
  };
  const listOf = (items: readonly unknown[]) => ({ list: () => items });
  const caches = {
    ClusterImportRule: listOf(rules),
    ImportRule: listOf([]),
    ImportBinding: listOf(imports.map((text) => ({ spec: { import: toKey(text), sources: [] } }))),
    Peer: listOf(peers.map((name) => ({ metadata: { name }, spec: { gateways: [{ host: 'a.example', port: 1 }] } }))),
    PeerRecords: listOf([{ spec: { peer: 'east', records: offers.map((text) => ({ record: toKey(text) })) } }]),
    ServiceExport: listOf([]),
    Export: listOf([]),
    Import: { get: () => undefined, ...listOf([]) },
  } as unknown as AbsenceInput['caches'];
  const input: AbsenceInput = {
    self: { name: 'west', labels: {} },
    store: 'dir:./manifests',
    caches,
    peer: (name) => ({
      name,
      sessions: 0,
      message: 'No.',
      ...('version' in more ? { version: '1' } : { reason: 'CERT_EXPIRED' as const }),
    }),
    problems: () => problems,
  };
  return input;
}

const up = { version: '1' };
const skipped = [{ source: 'east/shop/web', reason: 'NameTaken', message: 'Rule x has it. Fix: another name.' }];
const invalid = [
  { type: 'Valid', status: 'False' as const, reason: 'InvalidRule', message: 'no', lastTransitionTime: '' },
];

const cases: readonly [title: string, world: World, asked: string, hop: string, code: string, fix: RegExp][] = [
  [
    'nothing at all',
    {},
    'store/web',
    'import',
    'IMPORT_DELETED',
    /import --store dir:\.\/manifests .* --as store\/web/,
  ],
  ['a name nearly right', { imports: ['store/web'] }, 'store/wex', 'name', 'IMPORT_DELETED', /mean store\/web\?/],
  ['a namespace nearly right', { imports: ['store/web'] }, 'stoer/web', 'name', 'IMPORT_DELETED', /mean store\/web\?/],
  ['the name in another namespace', { imports: ['a/web'] }, 'store/web', 'name', 'IMPORT_DELETED', /mean a\/web\?/],
  ['skipped', { rules: [rule({}, { skipped })] }, 'store/web', 'rule', 'NameTaken', /^another name\.$/],
  ['another one skipped', { rules: [rule({}, { skipped })], ...up }, 'store/db', 'source', 'NOTHING_OFFERED', /east/],
  ['an invalid rule', { rules: [rule({}, { conditions: invalid })] }, 'store/web', 'rule', 'InvalidRule', /rule/],
  ['nobody asks', { rules: [rule({ mode: 'Requested' })] }, 'store/web', 'rule', 'IMPORT_DELETED', /mode Always/],
  ['no Peer object', { rules: [rule({})], peers: [] }, 'store/web', 'source', 'PEER_UNKNOWN', /Peer object east/],
  ['never heard of', { rules: [rule({})] }, 'store/web', 'session', 'CERT_EXPIRED', /renew cert east/],
  [
    'away, heard of before',
    { rules: [rule({})], offers: ['shop/db'] },
    'store/web',
    'source',
    'NOTHING_OFFERED',
    /east/,
  ],
  ['not offered', { rules: [rule({})], ...up }, 'store/web', 'source', 'NOTHING_OFFERED', /--export shop\/web/],
  [
    'no peer selected',
    { rules: [rule({ peers: { selector: { matchLabels: { a: 'b' } } } })] },
    'store/web',
    'source',
    'PEER_UNKNOWN',
    /labels/,
  ],
  ['a rule of another space', { rules: [rule({})], ...up }, 'other/web', 'import', 'IMPORT_DELETED', /import/],
  [
    'a list without it',
    { rules: [rule({ exports: { names: ['db'] } })], ...up },
    'store/web',
    'import',
    'IMPORT_DELETED',
    /import/,
  ],
  [
    'a list with it, and a name nearly right',
    { rules: [rule({ exports: { names: ['web'] } })], imports: ['store/wex'], ...up },
    'store/web',
    'source',
    'NOTHING_OFFERED',
    /NAMESPACE\/web/,
  ],
  [
    'not exported here',
    { rules: [rule({ peers: { names: ['west'] } })] },
    'store/web',
    'source',
    'NOTHING_OFFERED',
    /export --store dir:.* shop\/web/,
  ],
  [
    'a rule whose manifest is wrong',
    { problems: [{ file: 'a.yaml', line: 3, object: 'ImportRule store/two', message: 'is wrong', fix: 'Mend it.' }] },
    'store/web',
    'rule',
    'ERR_INVALID_OBJECT',
    /^Mend it\.$/,
  ],
];

describe('explainAbsence', () => {
  for (const [title, world, asked, hop, code, fix] of cases) {
    it(`${title} → ${hop} ${code}`, () => {
      const [namespace = '', name = ''] = asked.split('/');
      const found = explainAbsence(makeInput(world), { namespace, name });
      assert.deepEqual([found.ok, found.hop, found.code], [false, hop, code], found.message);
      assert.match(found.fix ?? '', fix);
    });
  }
});
