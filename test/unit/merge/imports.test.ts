/** ClusterLink's Imports: which sources each leads to, what it is called when it makes nothing, and who has a name. */
import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import type { IImport } from '#src/api/generated/Import.ts';
import { formatKey } from '#src/api/object.ts';
import { formatSource } from '#src/api/record.ts';
import { IMPORTS_PER_NAMESPACE_MAX, SOURCES_PER_IMPORT_MAX } from '#src/merge/limits.ts';
import type { MergedImport, MergeRecord, MergeResult } from '#src/merge/types.ts';
import { bindingsOf, clusterRule, day, mergeScene, peers, ports, said, written, type Scene } from './fixtures.ts';

const CART = 'shop/cart';
/** A peer that tells what it offers, and one that tells nothing, as ClusterLink's. */
const PEERS = [
  ...peers('west').map((peer) => ({ ...peer, tellsRecords: true })),
  ...peers('cl', 'other', 'self').map((peer) => ({ ...peer, tellsRecords: false })),
];

function mergeWritten(imports: readonly IImport[], scene: Partial<Scene> = {}): MergeResult {
  return mergeScene({ records: [], rules: [], peers: PEERS, ...scene, imports });
}

function sourcesOf(merged: MergedImport | undefined): string[] {
  return (merged?.sources ?? []).map(
    (source) => `${formatSource(source)}:${source.ports[0]?.port} ready ${source.readyEndpoints}`,
  );
}

function conditionOf(result: MergeResult, name: string, type: string): string {
  const status = result.importStatuses.find(({ key }) => formatKey(key) === name);
  const condition = findCondition(
    (status?.conditions ?? []).map((draft) => ({ ...draft, lastTransitionTime: '' })),
    type,
  );
  return `${condition?.status} ${condition?.reason} ${condition?.message}`.trim();
}

function refusalOf(result: MergeResult, name: string): string {
  const refusal = result.importStatuses.find(({ key }) => formatKey(key) === name)?.refusal;
  return refusal === undefined ? 'none' : `${refusal.reason} ${refusal.message}`;
}

describe('mergeImports', () => {
  it('an Import → one port without a name, a Service, its labels, sources in order', () => {
    const labels = { tier: 'gold', 'import.clusterlink.net/merge': 'false' };
    const imports = [written(CART, ['cl/prod/cart-api', 'other/x/y'], { metadata: { labels }, lbScheme: 'static' })];
    const [merged] = mergeWritten(imports).imports;
    assert.deepEqual(merged, {
      key: { namespace: 'shop', name: 'cart' },
      owner: { kind: 'Import', namespace: 'shop', name: 'cart' },
      type: 'ClusterSetIP',
      ports: [{ name: '', protocol: 'TCP', port: 80 }],
      ipFamilies: ['IPv4'],
      sources: [
        {
          ...{ peer: 'cl', namespace: 'prod', name: 'cart-api', order: 0, readyEndpoints: 1 },
          ports: [{ name: '', protocol: 'TCP', port: 80 }],
        },
        {
          ...{ peer: 'other', namespace: 'x', name: 'y', order: 1, readyEndpoints: 1 },
          ports: [{ name: '', protocol: 'TCP', port: 80 }],
        },
      ],
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      loadBalancing: { scheme: 'Static', localFirst: false },
      labels,
      annotations: {},
      service: true,
    });
  });

  const schemes: [scheme: string | undefined, scheme: string, valid: RegExp][] = [
    ['round-robin', 'RoundRobin', /^True Valid$/],
    ['random', 'Random', /^True Valid$/],
    ['static', 'Static', /^True Valid$/],
    [undefined, 'RoundRobin', /^True Valid$/],
    ['', 'RoundRobin', /^True Valid$/],
    ['least-conn', 'RoundRobin', /^True UnknownScheme spec.lbScheme: "least-conn" is none of .*Fix: /],
    ['constructor', 'RoundRobin', /^True UnknownScheme/],
  ];
  for (const [lbScheme, scheme, valid] of schemes) {
    it(`lbScheme ${String(lbScheme)} → ${scheme} (their bug 15: a crash)`, () => {
      const result = mergeWritten([written(CART, ['cl/a/b'], lbScheme === undefined ? {} : { lbScheme })]);
      assert.deepEqual(result.imports[0]?.loadBalancing, { scheme, localFirst: false });
      assert.match(conditionOf(result, CART, 'Valid'), valid);
    });
  }

  describe('sources', () => {
    const records: MergeRecord[] = [
      said('west/prod/cart-api', { ports: ports('dns/UDP/53 http/TCP/8080 metrics/TCP/9090'), readyEndpoints: 3 }),
      said('west/prod/pinned', { ports: ports('a/TCP/1 b/UDP/3 c/TCP/2'), defaultPort: 2 }),
      said('west/prod/pin-gone', { ports: ports('a/TCP/1 b/UDP/3'), defaultPort: 3 }),
      said('west/prod/dns', { ports: ports('dns/UDP/53') }),
      said('west/prod/odd', { requires: ['teleport'] }),
      said('west/shop/cart', { ports: ports('/TCP/81') }),
      said('self/prod/own', { ports: ports('/TCP/82') }),
    ];
    const table: [title: string, source: string, expected: string[], resolved: RegExp][] = [
      ['a record → its first TCP port', 'west/prod/cart-api', ['west/prod/cart-api:8080 ready 3'], /^True Resolved$/],
      [
        '<service>.<port name> → that port',
        'west/prod/cart-api.metrics',
        ['west/prod/cart-api:9090 ready 3'],
        /^True Resolved$/,
      ],
      ['empty names → the Import’s own', 'west//', ['west/shop/cart:81 ready 1'], /^True Resolved$/],
      ['self → a source like others', 'self/prod/own', ['self/prod/own:82 ready 1'], /^True Resolved$/],
      ['a peer that tells nothing → as written', 'cl/prod/x', ['cl/prod/x:80 ready 1'], /^True Resolved$/],
      ['the same with a dot → as written', 'cl/prod/x.y', ['cl/prod/x.y:80 ready 1'], /^True Resolved$/],
      [
        'no such record → as written, not ready',
        'west/prod/gone',
        ['west/prod/gone:80 ready 0'],
        /^False ExportNotFound spec.sources\[0\]: peer west offers no export prod\/gone .*Fix: /,
      ],
      [
        'no such port of a record → as written, not ready',
        'west/prod/cart-api.nope',
        ['west/prod/cart-api.nope:80 ready 0'],
        /^False ExportNotFound/,
      ],
      ['a UDP port by name → none', 'west/prod/cart-api.dns', ['west/prod/cart-api.dns:80 ready 0'], /ExportNotFound/],
      ['a port that the export pins → that', 'west/prod/pinned', ['west/prod/pinned:2 ready 1'], /^True/],
      ['a pin that is no TCP port → the first', 'west/prod/pin-gone', ['west/prod/pin-gone:1 ready 1'], /^True/],
      ['no TCP port → left out', 'west/prod/dns', [], /^False NoPorts/],
      ['an unknown feature → left out', 'west/prod/odd', [], /^False UnknownFeature/],
      ['no Peer → left out', 'nobody/prod/x', [], /^False PeerNotFound spec.sources\[0\]: there is no Peer nobody/],
      ['a name that cannot be → left out', 'west/prod/X Y', [], /^False InvalidSource spec.sources\[0\]: "X Y"/],
      ['a peer that cannot be → left out', '__proto__/prod/x', [], /^False InvalidSource/],
    ];
    for (const [title, source, expected, resolved] of table) {
      it(title, () => {
        const result = mergeWritten([written(CART, [source])], { records });
        assert.deepEqual(sourcesOf(result.imports[0]), expected);
        assert.match(conditionOf(result, CART, 'SourcesResolved'), resolved);
      });
    }

    it('a ClusterLink peer that becomes one of ours → what it tells counts from then on', () => {
      const turned = PEERS.map((peer) => ({ ...peer, tellsRecords: peer.tellsRecords || peer.name === 'cl' }));
      const imports = [written(CART, ['cl/prod/db', 'cl/prod/db.http'])];
      assert.deepEqual(sourcesOf(mergeWritten(imports).imports[0]), [
        'cl/prod/db:80 ready 1',
        'cl/prod/db.http:80 ready 1',
      ]);
      const records = [said('cl/prod/db', { ports: ports('pg/TCP/5432 http/TCP/8080'), readyEndpoints: 2 })];
      const { imports: merged } = mergeWritten(imports, { records, peers: turned });
      assert.deepEqual(sourcesOf(merged[0]), ['cl/prod/db:5432 ready 2']);
    });

    it('one that its peer told of → its owner hears that it is used; of others nobody does', () => {
      const sources = ['west/prod/cart-api.metrics', 'west/prod/gone', 'cl/a/b', 'nobody/a/b'];
      const { verdicts } = mergeWritten([written(CART, sources)], { records });
      assert.deepEqual(verdicts, [
        {
          source: { peer: 'west', namespace: 'prod', name: 'cart-api' },
          import: { namespace: 'shop', name: 'cart' },
          ...{ reasons: [], loses: false, message: '' },
        },
      ]);
      assert.deepEqual(mergeWritten([written(CART, sources, { port: 0 })], { records }).verdicts, []);
    });

    it('one that is wrong among others → the others go on, in their places', () => {
      const result = mergeWritten([written(CART, ['nobody/a/b', 'west/prod/cart-api', 'cl/a/b'])], { records });
      assert.deepEqual(
        result.imports[0]?.sources.map(({ peer, order }) => [peer, order]),
        [
          ['west', 1],
          ['cl', 2],
        ],
      );
    });

    it('one export under two names → counts once', () => {
      const sources = ['west/prod/cart-api', 'west/prod/cart-api.metrics', 'cl/a/b', 'cl/a/b'];
      const result = mergeWritten([written(CART, sources)], { records });
      assert.deepEqual(sourcesOf(result.imports[0]), ['west/prod/cart-api:8080 ready 3', 'cl/a/b:80 ready 1']);
      assert.match(
        conditionOf(result, CART, 'SourcesResolved'),
        /^False DuplicateSource spec.sources\[1\]: .*spec.sources\[3\]/,
      );
    });

    it('as many as may be → all; one more → told', () => {
      const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `cl/a/b${index}`);
      const full = mergeWritten([written(CART, many(SOURCES_PER_IMPORT_MAX))]);
      assert.match(conditionOf(full, CART, 'SourcesResolved'), /^True/);
      const over = mergeWritten([written(CART, many(SOURCES_PER_IMPORT_MAX + 1))]);
      assert.equal(over.imports[0]?.sources.length, SOURCES_PER_IMPORT_MAX);
      assert.match(conditionOf(over, CART, 'SourcesResolved'), /^False LimitReached/);
    });

    it('none → an import that nobody can use (TestImportConflictingTargetPort)', () => {
      const result = mergeWritten([written(CART, [])]);
      assert.deepEqual(result.imports[0]?.sources, []);
    });
  });

  const labelled: [text: string, made: 'service' | 'joinsService'][] = [
    ['true', 'joinsService'],
    ['false', 'service'],
    ['True', 'service'],
    ['', 'service'],
  ];
  for (const [text, made] of labelled) {
    it(`merge label "${text}" → ${made}`, () => {
      const labels = { 'import.clusterlink.net/merge': text };
      const [merged] = mergeWritten([written(CART, ['cl/a/b'], { metadata: { labels } })]).imports;
      assert.equal(merged?.[made], true);
      assert.equal(merged?.[made === 'service' ? 'joinsService' : 'service'], undefined);
    });
  }

  describe('target ports', () => {
    const told = (status: 'True' | 'False', observedGeneration: number): NonNullable<IImport['status']> => ({
      conditions: [
        {
          ...{ type: 'ImportTargetPortValid', status, reason: 'x', message: '' },
          lastTransitionTime: '',
          observedGeneration,
        },
      ],
    });

    it('one asks → it is a claim, and the message says where gateways listen', () => {
      const result = mergeWritten([written(CART, ['cl/a/b'], { targetPort: 3000 })]);
      assert.match(conditionOf(result, CART, 'ImportTargetPortValid'), /^True Leased No other Import may have 3000/);
    });

    it('none asks, or 0 → leased, no matter how many', () => {
      const result = mergeWritten([written('shop/a', [], { targetPort: 0 }), written('shop/b', [], { targetPort: 0 })]);
      assert.equal(result.imports.length, 2);
      assert.equal(conditionOf(result, 'shop/b', 'ImportTargetPortValid'), 'True Leased');
    });

    it('two in different namespaces → the older has it, the other is told who (TestImportConflictingTargetPort)', () => {
      const younger = written('shop/a', [], { targetPort: 3000, metadata: { creationTimestamp: day(2) } });
      const older = written('store/b', [], { targetPort: 3000 });
      const result = mergeWritten([younger, older]);
      assert.deepEqual(
        result.imports.map(({ key }) => formatKey(key)),
        ['store/b'],
      );
      assert.match(refusalOf(result, 'shop/a'), /^TargetPortTaken spec.targetPort: Import store\/b has 3000. Fix: /);
      assert.match(conditionOf(result, 'shop/a', 'ImportTargetPortValid'), /^False Error .*Import store\/b/);
    });

    it('an older one that comes to ask for it → the one that has it keeps it', () => {
      const holder = written('shop/a', [], {
        ...{ targetPort: 3000, metadata: { creationTimestamp: day(2) }, status: told('True', 1) },
      });
      const changed = written('store/b', [], {
        targetPort: 3000,
        metadata: { generation: 2 },
        status: told('True', 1),
      });
      const result = mergeWritten([holder, changed]);
      assert.equal(refusalOf(result, 'shop/a'), 'none');
      assert.match(refusalOf(result, 'store/b'), /Import shop\/a/);
    });

    it('the first goes → the second has it', () => {
      const waiting = written('shop/a', [], { targetPort: 3000, status: told('False', 1) });
      assert.equal(refusalOf(mergeWritten([waiting]), 'shop/a'), 'none');
    });

    it('one that cannot be read → claims nothing', () => {
      const result = mergeWritten([
        written('shop/a', [], { targetPort: 3000, port: 0 }),
        written('store/b', [], { targetPort: 3000 }),
      ]);
      assert.equal(refusalOf(result, 'store/b'), 'none');
    });
  });

  describe('what makes nothing', () => {
    const invalid: [title: string, object: IImport, message: RegExp][] = [
      ['port 0', written(CART, [], { port: 0 }), /spec.port: must be between 1 and 65535, is 0/],
      ['a port too high', written(CART, [], { port: 65_536 }), /spec.port/],
      ['a target port too high', written(CART, [], { targetPort: 70_000 }), /spec.targetPort/],
      ['a name with a dot', written('shop/a.b', []), /metadata.name/],
    ];
    for (const [title, object, message] of invalid) {
      it(`${title}, as ClusterLink’s CRD lets it in → Valid=False with a remedy, and no claim`, () => {
        const result = mergeWritten([object]);
        const name = formatKey({ namespace: 'shop', name: object.metadata?.name ?? '' });
        assert.equal(result.imports.length, 0);
        assert.match(refusalOf(result, name), /^InvalidImport .*Fix: /);
        assert.match(conditionOf(result, name, 'Valid'), message);
        assert.match(conditionOf(result, name, 'ImportTargetPortValid'), /^False Error/);
      });
    }

    it('a ServiceImport of somebody else has the name → it stays theirs (NameTaken)', () => {
      const requests = [{ key: { namespace: 'shop', name: 'cart' }, type: 'ClusterSetIP' as const, ports: [] }];
      const result = mergeWritten([written(CART, ['cl/a/b'])], { requests });
      assert.equal(result.imports.length, 0);
      assert.match(refusalOf(result, CART), /^NameTaken There is a ServiceImport shop\/cart that is not ours/);
      assert.match(conditionOf(result, CART, 'ImportTargetPortValid'), /^True/);
    });

    it('the API server’s own Service has the name → nothing is added to it, merge label or not', () => {
      const labels = { 'import.clusterlink.net/merge': 'true' };
      for (const metadata of [{}, { labels }]) {
        const result = mergeWritten([written('default/kubernetes', ['cl/a/b'], { metadata })]);
        assert.equal(result.imports.length, 0);
        assert.match(refusalOf(result, 'default/kubernetes'), /^NameTaken .*API server\. Fix: /);
      }
      assert.equal(mergeWritten([written('shop/kubernetes', ['cl/a/b'])]).imports.length, 1);
    });

    it('restricted namespaces → an Import is written out: no wildcard put it there', () => {
      for (const name of ['default/cart', 'clusterlink-system/cart', 'kube-system/cart']) {
        assert.equal(mergeWritten([written(name, ['cl/a/b'])]).imports.length, 1, name);
      }
    });

    it('it is being deleted, or its namespace is → nothing is said of it (IMP-06)', () => {
      const going = written(CART, [], { metadata: { deletionTimestamp: day(3) } });
      assert.deepEqual(mergeWritten([going]).importStatuses, []);
      assert.deepEqual(mergeWritten([written(CART, [])], { namespaces: new Set() }).importStatuses, []);
    });

    it('more than a namespace may have → those in use stay', () => {
      const many = Array.from({ length: IMPORTS_PER_NAMESPACE_MAX }, (_, index) => written(`shop/b${index}`, []));
      const inUse = bindingsOf(mergeWritten(many));
      const result = mergeWritten([written('shop/a', []), ...many], { previous: inUse });
      assert.equal(result.imports.length, IMPORTS_PER_NAMESPACE_MAX);
      assert.match(refusalOf(result, 'shop/a'), /^LimitReached/);
    });

    it('those beyond the limit → claim no target port: others would never get one', () => {
      const many = Array.from({ length: IMPORTS_PER_NAMESPACE_MAX + 1 }, (_, index) =>
        written(`greedy/a${String(index).padStart(4, '0')}`, [], { targetPort: 10_000 + index }),
      );
      const last = 10_000 + IMPORTS_PER_NAMESPACE_MAX;
      const younger = written(CART, [], { targetPort: last, metadata: { creationTimestamp: day(9) } });
      const result = mergeWritten([...many, younger]);
      assert.match(conditionOf(result, CART, 'ImportTargetPortValid'), /^True/);
      assert.match(refusalOf(result, `greedy/a${IMPORTS_PER_NAMESPACE_MAX}`), /^LimitReached/);
      assert.match(
        conditionOf(result, `greedy/a${IMPORTS_PER_NAMESPACE_MAX}`, 'ImportTargetPortValid'),
        /^False Error/,
      );
    });
  });

  describe('names', () => {
    const records = [said('west/shop/db')];
    const rules = [clusterRule()];

    it('a rule gives the same name → the Import has it, the rule is told', () => {
      const result = mergeWritten([written('store/db', ['cl/a/b'])], { records, rules });
      assert.deepEqual(
        result.imports.map(({ owner }) => owner.kind),
        ['Import'],
      );
      const [status] = result.ruleStatuses;
      assert.deepEqual(status?.imported, []);
      assert.match(`${status?.skipped[0]?.reason} ${status?.skipped[0]?.message}`, /^NameTaken Import store\/db has/);
      assert.deepEqual(
        status?.conditions.map(({ type, status: value }) => [type, value]),
        [
          ['Valid', 'True'],
          ['Collision', 'True'],
        ],
      );
    });

    it('an Import that makes nothing → its name stays free of others’ exports', () => {
      const result = mergeWritten([written('store/db', [], { port: 0 })], { records, rules });
      assert.deepEqual(result.imports, []);
    });

    it('imports of rules and Imports → in one order, and a result fed back gives itself', () => {
      const scene = { records, rules };
      const imports = [written('store/z', ['cl/a/b']), written('store/a', ['west/shop/db'])];
      const result = mergeWritten(imports, scene);
      assert.deepEqual(
        result.imports.map(({ key }) => key.name),
        ['a', 'db', 'z'],
      );
      assert.deepEqual(mergeWritten(imports, { ...scene, previous: bindingsOf(result) }), result);
    });

    it('Imports and rules of one namespace → one bound for both', () => {
      const many = Array.from({ length: IMPORTS_PER_NAMESPACE_MAX - 1 }, (_, index) => written(`store/b${index}`, []));
      const requests = ['x', 'y'].map((name) => ({
        ...{ key: { namespace: 'store', name }, type: 'ClusterSetIP' as const, ports: [] },
        sources: ['west/shop/db'],
      }));
      const requested = [clusterRule({ mode: 'Requested' })];
      const result = mergeWritten(many, { records, rules: requested, requests });
      assert.equal(result.imports.length, IMPORTS_PER_NAMESPACE_MAX);
      assert.equal(result.ruleStatuses[0]?.skipped[0]?.reason, 'LimitReached');
    });
  });
});
