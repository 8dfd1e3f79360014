import assert from 'node:assert/strict';
import {
  desiredBinding,
  desiredClusters,
  desiredImportCondition,
  desiredServiceImport,
} from '#src/controllers/import/desired.ts';
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

describe('desiredServiceImport', () => {
  it('protocol, affinity and policy → written out: the CRD defaults nothing (CRD-06, CRD-07)', () => {
    assert.deepEqual(desiredServiceImport(makeMerged(), ['127.96.0.1']).spec, {
      type: 'ClusterSetIP',
      ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }],
      ips: ['127.96.0.1'],
      ipFamilies: ['IPv4'],
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
    });
  });

  it('headless → no addresses, never the word None (CRD-10)', () => {
    assert.deepEqual(desiredServiceImport(makeMerged({ type: 'Headless' }), ['127.96.0.1']).spec?.ips, []);
  });

  it('affinity by client and a traffic distribution → both copied (IMP-17, IMP-19)', () => {
    const { spec } = desiredServiceImport(
      makeMerged({
        sessionAffinity: 'ClientIP',
        sessionAffinityTimeoutSeconds: 60,
        trafficDistribution: 'PreferClose',
      }),
      [],
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
  it('the name → can be read back, and the namespace is ours', () => {
    const { metadata } = desiredBinding(makeMerged(), [], []);
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
      ips: ['127.96.0.1'],
      observed: undefined,
      want: ['Unknown', 'Pending'],
    },
    { name: 'usable', merged: makeMerged(), ips: ['127.96.0.1'], observed: usable, want: ['True', 'Ready'] },
    {
      name: 'no source can be used',
      merged: makeMerged(),
      ips: ['127.96.0.1'],
      observed: { sources: [{ ...source, usable: false }] },
      want: ['False', 'NoUsableSource'],
    },
    {
      name: 'no source at all',
      merged: makeMerged(),
      ips: ['127.96.0.1'],
      observed: { sources: [] },
      want: ['False', 'NoUsableSource'],
    },
    {
      name: 'a listener that failed',
      merged: makeMerged(),
      ips: ['127.96.0.1'],
      observed: { ...usable, listeners: [{ port: 5432, state: 'Failed' as const }] },
      want: ['False', 'ListenerFailed'],
    },
    { name: 'the pool is used up', merged: makeMerged(), ips: [], observed: usable, want: ['False', 'NoAddress'] },
    {
      name: 'IPv6 only',
      merged: makeMerged({ ipFamilies: ['IPv6'] }),
      ips: ['127.96.0.1'],
      observed: usable,
      want: ['False', 'IPFamilyNotSupported'],
    },
    {
      name: 'no family in common',
      merged: makeMerged({ ipFamilies: [] }),
      ips: ['127.96.0.1'],
      observed: usable,
      want: ['False', 'IPFamilyNotSupported'],
    },
    {
      name: 'headless',
      merged: makeMerged({ type: 'Headless' }),
      ips: [],
      observed: usable,
      want: ['False', 'HeadlessNotServed'],
    },
  ];
  for (const { name, merged, ips, observed, want } of cases) {
    it(`${name} → Ready=${want.join(' ')} (IMP-25, DESIGN §3.9)`, () => {
      const { status, reason } = desiredImportCondition({ merged, ips, observed });
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
    const { status, message } = desiredImportCondition({ merged: makeMerged(), ips: ['127.96.0.1'], observed });
    assert.deepEqual([status, message], ['True', 'south/shop/db is away (PEER_UNREACHABLE)']);
  });
});
