/** ServiceImports of others: taken names, and what rules of mode Requested make of them (DESIGN §5). */
import assert from 'node:assert/strict';
import type { IServiceImport, ServiceImportSpec } from '#src/api/generated/ServiceImport.ts';
import { formatKey } from '#src/api/object.ts';
import { formatSource } from '#src/api/record.ts';
import { isOurImport, toRequest } from '#src/merge/requests.ts';
import type { ImportRequest, MergeResult } from '#src/merge/types.ts';
import { clusterRule, formatPorts, mergeScene, ports, rule, said } from './fixtures.ts';

interface RequestChanges {
  readonly sources?: string;
  readonly spec?: Partial<ServiceImportSpec>;
  readonly annotations?: Record<string, string>;
}

function serviceImport(key: string, { sources, spec = {}, annotations = {} }: RequestChanges = {}): IServiceImport {
  const [namespace = '', name = ''] = key.split('/');
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceImport',
    metadata: {
      namespace,
      name,
      annotations: { ...annotations, ...(sources === undefined ? {} : { 'mcs.clusterlink.net/sources': sources }) },
    },
    spec: { type: 'ClusterSetIP', ports: [], ...spec },
  };
}

const request = (key: string, changes?: RequestChanges): ImportRequest => toRequest(serviceImport(key, changes));

function formatImports({ imports }: MergeResult): string[] {
  return imports.map(({ key, sources }) => `${formatKey(key)} < ${sources.map(formatSource).join(' ')}`);
}
const reasons = ({ ruleStatuses }: MergeResult) =>
  ruleStatuses.flatMap(({ skipped }) => skipped.map(({ source, reason }) => `${source} ${reason}`));
const unmet = (result: MergeResult) => result.unmet.map(({ key, reason }) => `${formatKey(key)} ${reason}`);

const RECORDS = [said('east/shop/db'), said('west/shop/db'), said('west/sales/db'), said('east/shop/web')];
const requested = clusterRule({ mode: 'Requested' });

describe('merge: mode Requested', () => {
  it('nobody asks → nothing is imported, and nothing counts as skipped', () => {
    const result = mergeScene({ records: RECORDS, rules: [requested] });
    assert.deepEqual([formatImports(result), reasons(result)], [[], []]);
    assert.equal(result.ruleStatuses[0]?.matched, 3);
  });

  it('a ServiceImport of the name that the rule gives → the exports of that name back it (Karmada)', () => {
    const result = mergeScene({ records: RECORDS, rules: [requested], requests: [request('store/db')] });
    assert.deepEqual(formatImports(result), ['store/db < east/shop/db west/shop/db']);
    assert.equal(result.imports[0]?.requested, true);
    assert.deepEqual(unmet(result), []);
  });

  it('the rule names by a template → the ServiceImport of that name asks', () => {
    const rules = [clusterRule({ mode: 'Requested', into: { namespace: 'store', name: '{peer}-{name}' } })];
    const result = mergeScene({ records: RECORDS, rules, requests: [request('store/east-db'), request('store/db')] });
    assert.deepEqual(formatImports(result), ['store/east-db < east/shop/db']);
    assert.deepEqual(unmet(result), ['store/db NothingGranted']);
  });

  it('the annotation names sources → these alone, under the name that the user chose', () => {
    const requests = [
      request('store/main', { sources: 'east/shop/db' }),
      request('store/db', { sources: 'west/shop/db' }),
    ];
    const result = mergeScene({ records: RECORDS, rules: [requested], requests });
    assert.deepEqual(formatImports(result), ['store/db < west/shop/db', 'store/main < east/shop/db']);
  });

  it('one export for two ServiceImports → it backs both', () => {
    const requests = ['a', 'b'].map((name) => request(`store/${name}`, { sources: 'east/shop/db' }));
    const result = mergeScene({ records: RECORDS, rules: [requested], requests });
    assert.deepEqual(formatImports(result), ['store/a < east/shop/db', 'store/b < east/shop/db']);
  });

  it('exports that the rule does not select → not granted, whatever the annotation says', () => {
    const requests = [request('store/db', { sources: 'west/sales/db' })];
    const result = mergeScene({ records: RECORDS, rules: [requested], requests });
    assert.deepEqual([formatImports(result), unmet(result)], [[], ['store/db NothingGranted']]);
  });

  it('sources of two namespaces → both only where the rule merges', () => {
    const requests = [request('store/db', { sources: 'east/shop/db, west/sales/db' })];
    const spec = { mode: 'Requested' as const, exports: { names: ['db'] } };
    const apart = mergeScene({ records: RECORDS, rules: [clusterRule(spec)], requests });
    assert.deepEqual(formatImports(apart), ['store/db < east/shop/db']);
    assert.deepEqual(reasons(apart), ['west/sales/db SourceNotMerged']);
    const merged = mergeScene({ records: RECORDS, rules: [clusterRule({ ...spec, merge: true })], requests });
    assert.deepEqual(formatImports(merged), ['store/db < east/shop/db west/sales/db']);
  });

  it('an ImportRule → only ServiceImports of its own namespace', () => {
    const rules = [rule('team', { mode: 'Requested' })];
    const result = mergeScene({ records: RECORDS, rules, requests: [request('team/db'), request('other/db')] });
    assert.deepEqual(formatImports(result), ['team/db < east/shop/db west/shop/db']);
    assert.deepEqual(unmet(result), ['other/db NoRule']);
  });

  it('sameNamespace → the namespace of the export, also for sources that are named', () => {
    const rules = [clusterRule({ mode: 'Requested', exports: { names: ['db'] }, into: { sameNamespace: true } })];
    const requests = [request('sales/db'), request('shop/x', { sources: 'east/shop/db' })];
    const result = mergeScene({ records: RECORDS, rules, requests });
    assert.deepEqual(formatImports(result), ['sales/db < west/sales/db', 'shop/x < east/shop/db']);
  });

  it('declared ports → no others are imported, by protocol and number; an empty protocol is TCP', () => {
    const records = [said('east/shop/db', { ports: ports('pg/TCP/5432 dns/UDP/53 web/TCP/80') })];
    const spec = { ports: [{ port: 5432, protocol: '' }, { port: 53, protocol: 'UDP' }, { port: 9 }] };
    const { imports } = mergeScene({ records, rules: [requested], requests: [request('store/db', { spec })] });
    assert.equal(formatPorts(imports[0]?.ports ?? []), 'pg/TCP/5432 dns/UDP/53');
    assert.deepEqual(
      imports[0]?.sources[0]?.ports.map(({ port }) => port),
      [5432, 53],
    );
  });

  it('none of the declared ports is exported → NoPorts, and no import', () => {
    const result = mergeScene({
      records: RECORDS,
      rules: [requested],
      requests: [request('store/db', { spec: { ports: [{ port: 9 }] } })],
    });
    assert.deepEqual(formatImports(result), []);
    assert.deepEqual(reasons(result), ['east/shop/db NoPorts', 'west/shop/db NoPorts']);
  });

  it('declared with another type → TypeConflict, and no import', () => {
    const result = mergeScene({
      records: [said('east/shop/db')],
      rules: [requested],
      requests: [request('store/db', { spec: { type: 'Headless' } })],
    });
    assert.deepEqual([formatImports(result), reasons(result)], [[], ['east/shop/db TypeConflict']]);
  });

  const unreadable: { title: string; object: IServiceImport }[] = [
    { title: 'sources that cannot be read', object: serviceImport('store/db', { sources: 'east/shop' }) },
    { title: 'no source in the list', object: serviceImport('store/db', { sources: '' }) },
    {
      title: 'an unknown annotation of ours',
      object: serviceImport('store/db', { annotations: { 'mcs.clusterlink.net/source': 'east/shop/db' } }),
    },
    { title: 'a name with a dot', object: serviceImport('store/db.x', { sources: 'east/shop/db' }) },
    {
      title: 'an object that is being deleted',
      object: {
        ...serviceImport('store/db'),
        metadata: { ...serviceImport('store/db').metadata, deletionTimestamp: 'x' },
      },
    },
  ];
  for (const { title, object } of unreadable) {
    it(`${title} → asks for nothing, and says so (fail closed)`, () => {
      const result = mergeScene({ records: RECORDS, rules: [requested], requests: [toRequest(object)] });
      assert.deepEqual(formatImports(result), []);
      assert.deepEqual(
        result.unmet.map(({ reason }) => reason),
        ['InvalidRequest'],
      );
    });
  }

  it('65 sources → refused; 64 → read', () => {
    const sources = (count: number) => Array.from({ length: count }, (_, index) => `east/shop/db${index}`).join(',');
    assert.equal(request('store/db', { sources: sources(64) }).sources?.length, 64);
    assert.notEqual(request('store/db', { sources: sources(65) }).problem, undefined);
  });

  it('no rule of mode Requested → NoRule; the message says how to adopt it', () => {
    const result = mergeScene({ records: RECORDS, rules: [], requests: [request('store/db')] });
    assert.deepEqual(unmet(result), ['store/db NoRule']);
    assert.match(result.unmet[0]?.message ?? '', /mode: Requested/);
  });
});

describe('merge: names that ServiceImports of others have', () => {
  it('a rule of mode Always → NameTaken, and the other names are imported (IMP-08)', () => {
    const result = mergeScene({ records: RECORDS, rules: [clusterRule()], requests: [request('store/db')] });
    assert.deepEqual(formatImports(result), ['store/web < east/shop/web']);
    assert.deepEqual(reasons(result), ['east/shop/db NameTaken', 'west/shop/db NameTaken']);
  });

  it('a rule of mode Always before one of mode Requested → does not keep it from answering', () => {
    const rules = [clusterRule({ name: 'all', priority: 9 }), clusterRule({ name: 'asked', mode: 'Requested' })];
    const result = mergeScene({ records: RECORDS, rules, requests: [request('store/db')] });
    assert.equal(result.imports.find(({ key }) => key.name === 'db')?.owner.name, 'asked');
  });

  it('our label → ours', () => {
    const labels = { 'app.kubernetes.io/managed-by': 'clusterlink-mcs' };
    assert.equal(isOurImport({ ...serviceImport('store/db'), metadata: { labels } }), true);
    assert.equal(isOurImport(serviceImport('store/db')), false);
  });
});

describe('merge: namespaces', () => {
  it('one that is not there → NamespaceNotFound; the others are imported (IMP-03)', () => {
    const rules = [clusterRule({ exports: { names: ['db'] }, into: { sameNamespace: true } })];
    const result = mergeScene({ records: RECORDS, rules, namespaces: new Set(['sales']) });
    assert.deepEqual(formatImports(result), ['sales/db < west/sales/db']);
    assert.deepEqual(reasons(result), ['east/shop/db NamespaceNotFound', 'west/shop/db NamespaceNotFound']);
  });

  it('nothing is known of namespaces → every one is there', () => {
    assert.equal(mergeScene({ records: RECORDS, rules: [clusterRule()] }).imports.length, 2);
  });
});

describe('merge: an export without ports', () => {
  it('→ NoPorts: a client could use nothing of it', () => {
    const result = mergeScene({ records: [said('east/shop/db', { ports: [] })], rules: [clusterRule()] });
    assert.deepEqual([formatImports(result), reasons(result)], [[], ['east/shop/db NoPorts']]);
  });
});
