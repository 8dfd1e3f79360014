import assert from 'node:assert/strict';
import type { ExportRecord } from '#src/api/record.ts';
import { SOURCES_PER_IMPORT_MAX } from '#src/merge/limits.ts';
import type { ConstituentVerdict, MergeResult } from '#src/merge/types.ts';
import { bindingsOf, clusterRule, day, formatPorts, mergeScene, peers, ports, said } from './fixtures.ts';

type Changes = Partial<ExportRecord>;

/** east is the older, west the newer export of one service. */
function mergeTwo(east: Changes, west: Changes, allow: string[] = ['']): MergeResult {
  return mergeScene({
    records: [
      said('west/shop/db', { createdAt: day(2), ...west }),
      said('east/shop/db', { createdAt: day(1), ...east }),
    ],
    rules: [clusterRule({ metadata: { allow } })],
  });
}

function verdictOf({ verdicts }: MergeResult, peer: string): ConstituentVerdict {
  const verdict = verdicts.find(({ source }) => source.peer === peer);
  assert.ok(verdict, `no verdict on ${peer}`);
  return verdict;
}

function only({ imports }: MergeResult): MergeResult['imports'][number] {
  const [merged] = imports;
  assert.ok(merged);
  assert.equal(imports.length, 1);
  return merged;
}

/** Rows of mcs-api.md §4.2: older, newer, reasons, and what the import has of it. */
const PROPERTIES: [title: string, east: Changes, west: Changes, reasons: string[], expected: object][] = [
  ['CFL-14 type', { type: 'Headless' }, {}, ['TypeConflict'], { type: 'Headless' }],
  [
    'CFL-17 ports',
    { ports: ports('a/TCP/1') },
    { ports: ports('a/TCP/2') },
    ['PortConflict'],
    { ports: ports('a/TCP/1') },
  ],
  [
    'sessionAffinity',
    { sessionAffinity: 'ClientIP' },
    {},
    ['SessionAffinityConflict'],
    { sessionAffinity: 'ClientIP', sessionAffinityTimeoutSeconds: undefined },
  ],
  [
    'IMP-17 sessionAffinityConfig',
    { sessionAffinity: 'ClientIP', sessionAffinityTimeoutSeconds: 10 },
    { sessionAffinity: 'ClientIP', sessionAffinityTimeoutSeconds: 20 },
    ['SessionAffinityConfigConflict'],
    { sessionAffinity: 'ClientIP', sessionAffinityTimeoutSeconds: 10 },
  ],
  [
    'IMP-18 internalTrafficPolicy',
    { internalTrafficPolicy: 'Local' },
    {},
    ['InternalTrafficPolicyConflict'],
    { internalTrafficPolicy: 'Local' },
  ],
  [
    'IMP-19 trafficDistribution, absent',
    {},
    { trafficDistribution: 'PreferClose' },
    ['TrafficDistributionConflict'],
    { trafficDistribution: undefined },
  ],
  ['CFL-16 labels', { labels: { a: '1' } }, { labels: { b: '2' } }, ['LabelsConflict'], { labels: { a: '1' } }],
  [
    'IMP-27 annotations',
    { annotations: {} },
    { annotations: { b: '2' } },
    ['AnnotationsConflict'],
    { annotations: {} },
  ],
  [
    'CFL-24 families without a common one',
    { ipFamilies: ['IPv6'] },
    { ipFamilies: ['IPv4'] },
    ['IPFamilyConflict'],
    { ipFamilies: ['IPv6'] },
  ],
];

describe('merge: conflicts', () => {
  for (const [title, east, west, reasons, expected] of PROPERTIES) {
    it(`CFL-01, CFL-27: ${title} differs → the older one's, ${reasons.join()} on both`, () => {
      const result = mergeTwo(east, west);
      const merged: Record<string, unknown> = { ...only(result) };
      for (const [member, value] of Object.entries(expected)) assert.deepEqual(merged[member], value);
      assert.deepEqual(verdictOf(result, 'east').reasons, reasons);
      assert.deepEqual(verdictOf(result, 'west').reasons, reasons);
      assert.equal(verdictOf(result, 'east').loses, false);
      assert.equal(verdictOf(result, 'west').loses, true);
    });
  }

  it('CFL-12: all properties differ → all reasons, in order', () => {
    const west: Changes = {
      type: 'Headless',
      ports: ports('x/TCP/1'),
      sessionAffinity: 'ClientIP',
      sessionAffinityTimeoutSeconds: 5,
      internalTrafficPolicy: 'Local',
      trafficDistribution: 'PreferClose',
      labels: { b: '' },
      annotations: { b: '' },
    };
    assert.deepEqual(verdictOf(mergeTwo({}, west), 'west').reasons, [
      'TypeConflict',
      'PortConflict',
      'SessionAffinityConflict',
      'SessionAffinityConfigConflict',
      'InternalTrafficPolicyConflict',
      'TrafficDistributionConflict',
      'LabelsConflict',
      'AnnotationsConflict',
    ]);
  });

  const AGREEING: [title: string, east: Changes, west: Changes][] = [
    ['CFL-28 nothing differs', {}, {}],
    ['CFL-23 order of ports', { ports: ports('a/TCP/1 b/TCP/2') }, { ports: ports('b/TCP/2 a/TCP/1') }],
    ['CFL-25 a common family', { ipFamilies: ['IPv4', 'IPv6'] }, { ipFamilies: ['IPv6'] }],
    ['CFL-16 reserved label', { labels: { 'kubernetes.io/x': '1' } }, {}],
    ['order of labels', { labels: { a: '1', b: '2' } }, { labels: { b: '2', a: '1' } }],
    ['a time without affinity', { sessionAffinityTimeoutSeconds: 5 }, {}],
    ['families by default', { ipFamilies: [] }, {}],
  ];
  for (const [title, east, west] of AGREEING) {
    it(`${title} → no conflict`, () => {
      const result = mergeTwo(east, west);
      for (const peer of ['east', 'west']) {
        const { reasons, loses, message } = verdictOf(result, peer);
        assert.deepEqual({ reasons, loses, message }, { reasons: [], loses: false, message: '' });
      }
    });
  }

  it('CFL-16: the rule lets no labels in → they cannot conflict', () => {
    const result = mergeTwo({ labels: { a: '1' } }, { labels: { b: '2' } }, []);
    assert.deepEqual(only(result).labels, {});
    assert.deepEqual(verdictOf(result, 'west').reasons, []);
  });

  it('CFL-17: the older has fewer ports → both are told, and nobody loses', () => {
    const result = mergeTwo({ ports: ports('a/TCP/1') }, { ports: ports('a/TCP/1 b/TCP/2') });
    assert.deepEqual(
      result.verdicts.map(({ reasons, loses }) => [reasons, loses]),
      [
        [['PortConflict'], false],
        [['PortConflict'], false],
      ],
    );
  });

  it('CFL-21, CFL-22: ports differ → each source has the ports that it really exposes', () => {
    const { sources } = only(mergeTwo({ ports: ports('http/TCP/80 x/TCP/9') }, { ports: ports('web/TCP/80 x/TCP/8') }));
    assert.deepEqual(
      sources.map((source) => [source.peer, formatPorts(source.ports)]),
      [
        ['east', 'http/TCP/80 x/TCP/9'],
        ['west', 'http/TCP/80'],
      ],
    );
  });

  it('CFL-25: families [v4,v6], [v6], [v4] → v6, and the last one conflicts', () => {
    const result = mergeScene({
      records: [
        said('east/shop/db', { createdAt: day(1), ipFamilies: ['IPv4', 'IPv6'] }),
        said('north/shop/db', { createdAt: day(2), ipFamilies: ['IPv6'] }),
        said('west/shop/db', { createdAt: day(3), ipFamilies: ['IPv4'] }),
      ],
    });
    assert.deepEqual(only(result).ipFamilies, ['IPv6']);
    assert.deepEqual(
      result.verdicts.map(({ loses }) => loses),
      [false, false, true],
    );
  });

  it('CFL-15: an export that lost by type → no source, a verdict, and a line in the rule', () => {
    const result = mergeTwo({}, { type: 'Headless', ports: ports('z/TCP/9') });
    assert.deepEqual(
      only(result).sources.map(({ peer }) => peer),
      ['east'],
    );
    assert.equal(formatPorts(only(result).ports), 'tcp/TCP/42');
    assert.equal(verdictOf(result, 'west').loses, true);
    assert.deepEqual(
      result.ruleStatuses[0]?.skipped.map(({ source, reason }) => [source, reason]),
      [['west/shop/db', 'TypeConflict']],
    );
  });

  it('CFL-10, CFL-13: a conflict → the message names import, value and count, and no other peer', () => {
    const result = mergeTwo({ sessionAffinity: 'ClientIP' }, { ports: ports('tcp/TCP/43') });
    assert.equal(
      verdictOf(result, 'west').message,
      'Import store/db: Ports: using the union, what is in use and then what is older first; 1/2 exports disagree; ' +
        'not used: tcp TCP/43. Session affinity: using ClientIP of another export; 1/2 exports disagree.',
    );
    assert.doesNotMatch(verdictOf(result, 'west').message, /east/);
    assert.match(verdictOf(result, 'east').message, /Session affinity: using ClientIP of this export; 1\/2/);
    assert.doesNotMatch(verdictOf(result, 'east').message, /west/);
  });

  it('a traffic distribution of free text → it is used, and not repeated in a message', () => {
    const result = mergeTwo({ trafficDistribution: 'ignore-me' }, {});
    assert.equal(only(result).trafficDistribution, 'ignore-me');
    assert.doesNotMatch(verdictOf(result, 'west').message, /ignore-me/);
  });
});

describe('merge: precedence', () => {
  const ordered = (result: MergeResult): string[] => only(result).sources.map(({ peer }) => peer);

  it('CFL-06: equal age → by peer name, part by part', () => {
    const names = ['west', 'a', 'a-b', 'east'];
    const result = mergeScene({ records: names.map((name) => said(`${name}/shop/db`)), peers: peers(...names) });
    assert.deepEqual(ordered(result), ['a', 'a-b', 'east', 'west']);
  });

  it('CFL-06: equal age within one peer → by namespace', () => {
    const result = mergeScene({
      records: [said('east/shop-b/db', { uid: '1' }), said('east/shop/db', { uid: '2' })],
      rules: [clusterRule({ exports: { namespaces: ['shop-b', 'shop'] }, merge: true })],
    });
    assert.deepEqual(
      only(result).sources.map(({ namespace }) => namespace),
      ['shop', 'shop-b'],
    );
  });

  it('CFL-09: a peer claims an old date → no older than the Peer object that admits it', () => {
    const [east, west] = peers('east', 'west');
    assert.ok(east && west);
    const result = mergeScene({
      records: [
        said('west/shop/db', { createdAt: '1999-01-01T00:00:00Z', type: 'Headless' }),
        said('east/shop/db', { createdAt: day(3) }),
      ],
      peers: [east, { ...west, createdAt: day(5) }],
    });
    assert.deepEqual(ordered(result), ['east']);
    assert.equal(only(result).type, 'ClusterSetIP');
  });

  it('CFL-09: a date that cannot be read → the newest', () => {
    const result = mergeScene({ records: [said('east/shop/db', { createdAt: 'long ago' }), said('west/shop/db')] });
    assert.deepEqual(ordered(result), ['west', 'east']);
  });

  const young = said('west/shop/db', { createdAt: day(9), labels: { from: 'west' }, ports: ports('a/TCP/1') });
  const old = said('east/shop/db', { createdAt: day(1), labels: { from: 'east' }, ports: ports('a/TCP/2') });
  const rules = [clusterRule({ metadata: { allow: ['from'] } })];

  it('CFL-02: an older export appears beside one in use → type, ports, affinity and labels in use stay', () => {
    const previous = bindingsOf(mergeScene({ records: [young], rules }));
    const result = mergeScene({ records: [old, young], rules, previous });
    assert.deepEqual(ordered(result), ['west', 'east']);
    assert.equal(formatPorts(only(result).ports), 'a/TCP/1');
    assert.deepEqual(only(result).labels, { from: 'west' });
    const headless = { ...old, record: { ...old.record, type: 'Headless' as const } };
    assert.equal(only(mergeScene({ records: [headless, young], rules, previous })).type, 'ClusterSetIP');
  });

  it('CFL-03: the export in use goes → the next one takes over, and the import stays', () => {
    const previous = bindingsOf(mergeScene({ records: [young], rules }));
    const result = mergeScene({ records: [old], rules, previous });
    assert.equal(formatPorts(only(result).ports), 'a/TCP/2');
    assert.deepEqual(only(result).labels, { from: 'east' });
  });

  it('CFL-14: the oldest turns headless while another in use keeps the type → the type stays', () => {
    const previous = bindingsOf(mergeScene({ records: [old, young], rules }));
    const turned = { ...old, record: { ...old.record, type: 'Headless' as const } };
    const result = mergeScene({ records: [turned, young], rules, previous });
    assert.equal(only(result).type, 'ClusterSetIP');
    assert.deepEqual(ordered(result), ['west']);
    assert.equal(verdictOf(result, 'east').loses, true);
  });

  it('CFL-14: the only export turns headless → the import follows', () => {
    const previous = bindingsOf(mergeScene({ records: [old], rules }));
    const turned = { ...old, record: { ...old.record, type: 'Headless' as const } };
    assert.equal(only(mergeScene({ records: [turned], rules, previous })).type, 'Headless');
  });

  const many = (count: number) => {
    const names = Array.from({ length: count }, (_, index) => `p${String(index).padStart(3, '0')}`);
    return { records: names.map((name) => said(`${name}/shop/db`)), peers: peers(...names) };
  };

  it('as many sources as an import may have → all; one more → LimitReached', () => {
    const full = mergeScene(many(SOURCES_PER_IMPORT_MAX));
    assert.equal(only(full).sources.length, SOURCES_PER_IMPORT_MAX);
    assert.deepEqual(full.ruleStatuses[0]?.skipped, []);
    const beyond = mergeScene(many(SOURCES_PER_IMPORT_MAX + 1));
    assert.equal(only(beyond).sources.length, SOURCES_PER_IMPORT_MAX);
    assert.deepEqual(
      beyond.ruleStatuses[0]?.skipped.map(({ source, reason }) => [source, reason]),
      [[`p0${SOURCES_PER_IMPORT_MAX}/shop/db`, 'LimitReached']],
    );
  });
});
