import assert from 'node:assert/strict';
import {
  desiredBinding,
  desiredClusters,
  desiredPortsCondition,
  desiredServiceImport,
  desiredSliceObjects,
} from '#src/controllers/import/desired.ts';
import type { Published } from '#src/controllers/import/home.ts';
import { desiredImportCondition } from '#src/controllers/import/readiness.ts';
import type { MergedImport } from '#src/merge/types.ts';

function makeMerged(changes: Partial<MergedImport> = {}): MergedImport {
  return {
    key: { namespace: 'store', name: 'db' },
    owner: { kind: 'ClusterImportRule', name: 'shop' },
    type: 'ClusterSetIP',
    ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }],
    ipFamilies: ['IPv4'],
    sources: ['west', 'east', 'east'].map((peer, index) => ({
      peer,
      namespace: 'shop',
      name: `db${index}`,
      ports: [],
      readyEndpoints: 1,
    })),
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    loadBalancing: { scheme: 'RoundRobin', localFirst: true },
    labels: { tier: 'gold' },
    annotations: {},
    ...changes,
  };
}

function makePublished(changes: Partial<Published> = {}): Published {
  return { ips: ['127.96.0.1'], ipFamilies: ['IPv4'], targetPorts: new Map(), annotations: {}, ...changes };
}

describe('desiredServiceImport', () => {
  it('protocol, affinity and policy → written out: the CRD defaults nothing (CRD-06, CRD-07)', () => {
    assert.deepEqual(desiredServiceImport(makeMerged(), makePublished()).spec, {
      type: 'ClusterSetIP',
      ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }],
      ips: ['127.96.0.1'],
      ipFamilies: ['IPv4'],
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
    });
  });

  it('headless → no addresses, never the word None (CRD-10)', () => {
    assert.deepEqual(desiredServiceImport(makeMerged({ type: 'Headless' }), makePublished()).spec?.ips, []);
  });

  it('affinity by client and a traffic distribution → both copied (IMP-17, IMP-19)', () => {
    const { spec } = desiredServiceImport(
      makeMerged({
        sessionAffinity: 'ClientIP',
        sessionAffinityTimeoutSeconds: 60,
        trafficDistribution: 'PreferClose',
      }),
      makePublished(),
    );
    assert.deepEqual(
      [spec?.sessionAffinity, spec?.sessionAffinityConfig, spec?.trafficDistribution],
      ['ClientIP', { clientIP: { timeoutSeconds: 60 } }, 'PreferClose'],
    );
  });
});

describe('desiredClusters', () => {
  it('two exports of one cluster → one entry, sorted (IMP-26)', () => {
    assert.deepEqual(desiredClusters(makeMerged()), [{ cluster: 'east' }, { cluster: 'west' }]);
  });
});

describe('desiredBinding', () => {
  it('ports → with the target port of each that has one', () => {
    const merged = makeMerged({
      ports: [
        { name: 'dns', protocol: 'UDP', port: 53 },
        { name: 'dns-tcp', protocol: 'TCP', port: 53 },
      ],
    });
    const { spec } = desiredBinding(merged, makePublished({ targetPorts: new Map([['TCP 53', 20_000]]) }), []);
    assert.deepEqual(
      spec?.ports.map(({ protocol, targetPort }) => [protocol, targetPort]),
      [
        ['UDP', undefined],
        ['TCP', 20_000],
      ],
    );
  });

  it('no labels → no map: an emptied one would be null to an API server', () => {
    assert.deepEqual(desiredBinding(makeMerged(), makePublished(), []).spec?.labels, { tier: 'gold' });
    assert.equal('labels' in (desiredBinding(makeMerged({ labels: {} }), makePublished(), []).spec ?? {}), false);
  });

  it('the name → can be read back, and the namespace is ours', () => {
    const { metadata } = desiredBinding(makeMerged(), makePublished(), []);
    assert.deepEqual([metadata.namespace, metadata.name], ['clusterlink-system', 'db.store']);
  });
});

describe('desiredImportCondition', () => {
  const source = { peer: 'east', namespace: 'shop', name: 'db' };
  const usable = { sources: [{ ...source, usable: true }] };
  const cases = [
    {
      name: 'not looked at',
      merged: makeMerged(),
      observed: undefined,
      want: ['Unknown', 'Pending'],
    },
    { name: 'usable', merged: makeMerged(), observed: usable, want: ['True', 'Ready'] },
    {
      name: 'no source can be used',
      merged: makeMerged(),
      observed: { sources: [{ ...source, usable: false }] },
      want: ['False', 'NoUsableSource'],
    },
    {
      name: 'no source at all',
      merged: makeMerged(),
      observed: { sources: [] },
      want: ['False', 'NoUsableSource'],
    },
    {
      name: 'a listener that failed',
      merged: makeMerged(),
      observed: { ...usable, listeners: [{ port: 5432, state: 'Failed' as const }] },
      want: ['False', 'ListenerFailed'],
    },
    {
      name: 'a problem of its home',
      merged: makeMerged(),
      published: { ips: [], problem: { reason: 'NoAddress', message: 'used up' } },
      observed: usable,
      want: ['False', 'NoAddress'],
    },
    {
      name: 'two gateways, of which one has a usable source and listens',
      merged: makeMerged(),
      observed: {
        gateways: [
          { name: 'a', listening: [], failed: [{ targetPort: 20_000, message: 'in use' }], sources: [] },
          { name: 'b', listening: [20_000], sources: [{ ...source, usable: true }] },
        ],
      },
      want: ['True', 'Ready'],
    },
    {
      name: 'gateways of which none has a usable source',
      merged: makeMerged(),
      observed: { gateways: [{ name: 'a', listening: [], sources: [{ ...source, usable: false }] }] },
      want: ['False', 'NoUsableSource'],
    },
    {
      name: 'a gateway with a usable source that could not listen',
      merged: makeMerged(),
      observed: {
        gateways: [
          {
            name: 'a',
            listening: [],
            failed: [{ targetPort: 20_000, message: 'in use' }],
            sources: [{ ...source, usable: true }],
          },
        ],
      },
      want: ['False', 'ListenerFailed'],
    },
    {
      name: 'a gateway with a usable source that does not listen yet',
      merged: makeMerged(),
      observed: { gateways: [{ name: 'a', listening: [], sources: [{ ...source, usable: true }] }] },
      want: ['False', 'Pending'],
    },
    {
      name: 'headless',
      merged: makeMerged({ type: 'Headless' }),
      observed: usable,
      want: ['False', 'HeadlessNotServed'],
    },
  ];
  for (const { name, merged, published = makePublished(), observed, want } of cases) {
    it(`${name} → Ready=${want.join(' ')} (IMP-25, DESIGN §3.9)`, () => {
      const { status, reason } = desiredImportCondition({ merged, published, observed });
      assert.deepEqual([status, reason], want);
    });
  }

  it('one of two sources is away → ready, and the message names it', () => {
    const observed = {
      sources: [
        { ...source, usable: true },
        { ...source, peer: 'south', usable: false, reason: 'PEER_UNREACHABLE' },
      ],
    };
    const { status, message } = desiredImportCondition({ merged: makeMerged(), published: makePublished(), observed });
    assert.deepEqual([status, message], ['True', 'south/shop/db is away (PEER_UNREACHABLE)']);
  });
});

describe('desiredPortsCondition', () => {
  const mixed = makeMerged({
    ports: [
      { name: 'dns', protocol: 'UDP', port: 53 },
      { name: 'pg', protocol: 'TCP', port: 5432 },
    ],
  });
  it('TCP alone → no condition; UDP beside it → False, and the message names the UDP port alone', () => {
    assert.deepEqual(desiredPortsCondition(makeMerged(), makePublished()), []);
    const [condition] = desiredPortsCondition(mixed, makePublished());
    assert.deepEqual([condition?.status, condition?.reason], ['False', 'ProtocolNotServed']);
    assert.match(condition?.message ?? '', /dns UDP\/53\.$/);
  });

  it('a TCP port for which no target port was left → False, and the message names it', () => {
    const merged = makeMerged({
      ports: [
        { name: 'a', protocol: 'TCP', port: 1 },
        { name: 'b', protocol: 'TCP', port: 2 },
      ],
    });
    const [condition] = desiredPortsCondition(merged, makePublished({ targetPorts: new Map([['TCP 1', 20_000]]) }));
    assert.equal(condition?.reason, 'NoTargetPort');
    assert.match(condition?.message ?? '', /: b TCP\/2\.$/);
  });
});

describe('desiredSliceObjects', () => {
  const ports = [{ name: 'pg', protocol: 'TCP' as const, port: 5432 }];
  const source = { peer: 'east', namespace: 'shop', name: 'db', ports, readyEndpoints: 1 };
  const udp = { ...source, ports: [{ name: 'dns', protocol: 'UDP' as const, port: 53 }] };
  const targetPorts = new Map([['TCP 5432', 20_000]]);
  const table = [
    {
      title: 'a source with a port that is carried',
      merged: { sources: [source] },
      published: { targetPorts },
      is: 'Present',
    },
    { title: 'UDP ports alone', merged: { sources: [udp] }, published: { targetPorts }, is: 'Absent' },
    {
      title: 'a headless import',
      merged: { type: 'Headless' as const, sources: [source] },
      published: { targetPorts },
      is: 'Absent',
    },
    { title: 'no address', merged: { sources: [source] }, published: { targetPorts, ips: [] }, is: 'Absent' },
    { title: 'a host, which has no slices', merged: { sources: [source] }, published: {}, is: 'Absent' },
  ];
  for (const { title, merged, published, is } of table) {
    it(`${title} → ${is} (CRD-17, EPS-08)`, () => {
      assert.equal(desiredSliceObjects(makeMerged(merged), makePublished(published)), is);
    });
  }
});
