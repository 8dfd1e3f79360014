import assert from 'node:assert/strict';
import { makePortMemory } from '#src/controllers/derived-service/port-memory.ts';
import { TARGET_PORT_REST_MS } from '#src/controllers/limits.ts';
import type { MergedImport } from '#src/merge/types.ts';

const NOW_MS = Date.parse('2026-11-20T12:00:00Z');

function makeMerged(name: string, ...ports: number[]): MergedImport {
  return {
    key: { namespace: 'store', name },
    owner: { kind: 'ClusterImportRule', name: 'shop' },
    type: 'ClusterSetIP',
    ports: ports.map((port) => ({ name: `p${port}`, protocol: 'TCP', port })),
    ipFamilies: ['IPv4'],
    sources: [],
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    loadBalancing: { scheme: 'RoundRobin', localFirst: true },
    labels: {},
    annotations: {},
  };
}

describe('makePortMemory', () => {
  /** Caches that have not seen anything of what was written. */
  const blind = { bindings: [], services: new Map(), now: '2026-11-20T12:00:00Z', nowMs: NOW_MS };
  const portsOf = (memory: ReturnType<typeof makePortMemory>, imports: MergedImport[], nowMs = NOW_MS) =>
    Object.fromEntries(
      [...memory.assign({ ...blind, imports, nowMs })].map(([key, { ports }]) => [key, [...ports.values()]]),
    );

  it('caches that are behind → the ports that were given stay given, and nobody else gets them', () => {
    const memory = makePortMemory();
    assert.deepEqual(portsOf(memory, [makeMerged('db', 1)]), { 'store/db': [20_000] });
    assert.deepEqual(portsOf(memory, [makeMerged('a', 1), makeMerged('db', 1)]), {
      'store/a': [20_001],
      'store/db': [20_000],
    });
  });

  it('an import that went and comes back within 10 minutes, its Service lost → another port; the range goes round later', () => {
    const memory = makePortMemory();
    portsOf(memory, [makeMerged('db', 1)]);
    portsOf(memory, []);
    assert.deepEqual(portsOf(memory, [makeMerged('db', 1)]), { 'store/db': [20_001] });
    assert.deepEqual(portsOf(memory, [makeMerged('db', 2)], NOW_MS + TARGET_PORT_REST_MS), { 'store/db': [20_002] });
  });
});
