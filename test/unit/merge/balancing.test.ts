import assert from 'node:assert/strict';
import type { IClusterImportRule } from '#src/api/generated/ClusterImportRule.ts';
import { findBalancingProblem, makeBalancing } from '#src/merge/balancing.ts';
import { clusterRule } from './fixtures.ts';

type LoadBalancing = NonNullable<IClusterImportRule['spec']['loadBalancing']>;

describe('makeBalancing', () => {
  const defaults: [
    loadBalancing: LoadBalancing | undefined,
    want: ReturnType<typeof makeBalancing>['loadBalancing'],
  ][] = [
    [undefined, { scheme: 'RoundRobin', localFirst: true }],
    [{}, { scheme: 'RoundRobin', localFirst: true }],
    [{ scheme: 'Random' }, { scheme: 'Random', localFirst: true }],
    [
      { scheme: 'LeastLatency', localFirst: false },
      { scheme: 'LeastLatency', localFirst: false },
    ],
    [{ scheme: 'Static' }, { scheme: 'Static', localFirst: false }],
    [
      { scheme: 'Static', localFirst: true },
      { scheme: 'Static', localFirst: true },
    ],
  ];
  for (const [loadBalancing, want] of defaults) {
    it(`${JSON.stringify(loadBalancing) ?? 'nothing'} → ${JSON.stringify(want)}`, () => {
      const rule = clusterRule(loadBalancing === undefined ? {} : { loadBalancing });
      assert.deepEqual(makeBalancing(rule).loadBalancing, want);
    });
  }

  it('priority 0 and weight 1, said or not → nothing; weight 0 → 0', () => {
    const peers = [{ name: 'east', priority: 0, weight: 1 }, { name: 'south', weight: 0 }, { name: 'north' }];
    const { balanceOf } = makeBalancing(clusterRule({ loadBalancing: { peers } }));
    assert.deepEqual(['east', 'south', 'north', 'west'].map(balanceOf), [{}, { weight: 0 }, {}, {}]);
  });

  it('Static → the peers of loadBalancing, then those that spec.peers names; others have no place', () => {
    const spec = {
      peers: { names: ['north', 'east', 'south'] },
      loadBalancing: { scheme: 'Static' as const, peers: [{ name: 'south' }, { name: 'east', priority: 1 }] },
    };
    const { balanceOf } = makeBalancing(clusterRule(spec));
    assert.deepEqual(['north', 'east', 'south', 'west'].map(balanceOf), [
      { order: 2 },
      { priority: 1, order: 1 },
      { order: 0 },
      {},
    ]);
  });

  it('another scheme → no order, so that bindings of before stay as they are', () => {
    const { balanceOf } = makeBalancing(clusterRule({ peers: { names: ['east'] } }));
    assert.deepEqual(balanceOf('east'), {});
  });
});

describe('findBalancingProblem', () => {
  it('each peer once → none; one twice → said', () => {
    const problemOf = (...names: string[]): string | undefined =>
      findBalancingProblem(clusterRule({ loadBalancing: { peers: names.map((name) => ({ name })) } }));
    assert.equal(problemOf('east', 'south'), undefined);
    assert.match(problemOf('east', 'south', 'east') ?? '', /a peer twice/);
    assert.equal(findBalancingProblem(clusterRule()), undefined);
  });

  it('a peer that spec.peers.names has not → said; with a selector or all peers nobody can tell', () => {
    const loadBalancing = { peers: [{ name: 'esat' }] };
    assert.match(
      findBalancingProblem(clusterRule({ peers: { names: ['east'] }, loadBalancing })) ?? '',
      /spec\.peers\.names has not/,
    );
    assert.equal(findBalancingProblem(clusterRule({ peers: { all: true }, loadBalancing })), undefined);
  });
});
