import assert from 'node:assert/strict';
import type { IImportBinding, ImportBindingSpecSource } from '#src/api/generated/ImportBinding.ts';
import type { CatalogueEntry } from '#src/catalogue/types.ts';
import type { ImportRoute } from '#src/gateway/messages.ts';
import { desiredSnapshot } from '#src/gateway/snapshot.ts';
import { compilePolicies } from '#src/policy/compile.ts';

function makeSource(peer: string, changes: Partial<ImportBindingSpecSource> = {}): ImportBindingSpecSource {
  const ports = [{ name: 'pg', protocol: 'TCP' as const, port: 5432 }];
  return { peer, namespace: 'shop', name: 'db', ports, readyEndpoints: 1, ...changes };
}

function routeOf(spec: Partial<IImportBinding['spec']>, entries: readonly CatalogueEntry[] = []): ImportRoute {
  const binding: IImportBinding = {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ImportBinding',
    metadata: { namespace: 'clusterlink-system', name: 'db.store' },
    spec: {
      import: { namespace: 'store', name: 'db' },
      owner: { kind: 'ClusterImportRule', name: 'rule' },
      type: 'ClusterSetIP',
      ips: ['127.96.0.1'],
      ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }],
      sources: [makeSource('east')],
      ...spec,
    },
  };
  const { imports } = desiredSnapshot({
    self: 'west',
    bindings: [binding],
    peers: [],
    catalogue: { entries, verdicts: [] },
    policies: compilePolicies({ privileged: [], regular: [], baseline: [] }),
  });
  return imports[0] ?? assert.fail();
}

describe('desiredSnapshot: ports that are other numbers at the source', () => {
  const ports = [{ name: '', protocol: 'TCP' as const, port: 80 }];
  const sourceAt = (port: number, peer = 'east') =>
    makeSource(peer, { ports: [{ name: '', protocol: 'TCP', port }], order: 0 });

  it('an Import: port 80, 8080 at one source, 80 at another → each by its own number', () => {
    const { sources } = routeOf({ ports, sources: [sourceAt(8080), sourceAt(80, 'west')] });
    assert.deepEqual(
      sources.map(({ ports: here, portsThere }) => [here, portsThere]),
      [
        [[80], { 80: 8080 }],
        [[80], undefined],
      ],
    );
  });

  it('Imports: Static in the order that is written, Random and RoundRobin with their places kept (ClusterLink §5)', () => {
    const listed = ['c', 'a', 'b'].map((peer, order) => ({ ...sourceAt(80, peer), order }));
    for (const scheme of ['Static', 'Random', 'RoundRobin'] as const) {
      const route = routeOf({ ports, sources: listed, loadBalancing: { scheme, localFirst: false } });
      assert.equal(route.sources.map(({ peer }) => peer).join(''), 'cab', scheme);
      assert.equal(route.localFirst, false);
    }
  });
});

describe('desiredSnapshot: sources of this peer itself', () => {
  const record = { ...{ namespace: 'shop', name: 'db', uid: 'u' }, type: 'ClusterSetIP' as const, ports: [] };
  const entryWith = (...hosts: readonly string[]): CatalogueEntry => ({
    ...{ namespace: 'shop', name: 'db', uid: 'u', labels: {} },
    record: { ...record, createdAt: '2026-01-01T00:00:00Z', readyEndpoints: 2 },
    ports: [{ name: 'pg', protocol: 'TCP', port: 5432, endpoints: hosts.map((host) => ({ host, port: 5432 })) }],
  });
  const readyOf = (sources: ImportBindingSpecSource[], entries: readonly CatalogueEntry[]): number[] =>
    routeOf({ sources }, entries).sources.map(({ readyEndpoints }) => readyEndpoints);
  const two = { readyEndpoints: 2 };

  it('endpoints that may not be dialled → not ready: the import does not pretend', () => {
    assert.deepEqual(readyOf([makeSource('west', two)], [entryWith()]), [0]);
    assert.deepEqual(readyOf([makeSource('west', two)], [entryWith('10.0.0.1')]), [1]);
    assert.deepEqual(readyOf([makeSource('west', two)], []), [0], 'not exported any more');
  });

  it('of another peer → as it said', () => {
    assert.deepEqual(readyOf([makeSource('east', two)], [entryWith()]), [2]);
  });
});

describe('desiredSnapshot: early data', () => {
  it('the binding says nothing → absent; Off → Off', () => {
    assert.equal('earlyData' in routeOf({}), false);
    assert.equal(routeOf({ earlyData: 'Off' }).earlyData, 'Off');
  });
});

describe('desiredSnapshot: how sources are chosen', () => {
  it('a binding that says nothing → local first, no scheme, no affinity, plain sources', () => {
    const { localFirst, scheme, affinityTimeoutSeconds, sources } = routeOf({});
    assert.deepEqual([localFirst, scheme, affinityTimeoutSeconds], [true, undefined, undefined]);
    assert.deepEqual(sources, [{ peer: 'east', namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 }]);
  });

  it('scheme, priority, weight → as said; those that are as ever are left out', () => {
    const { scheme, sources } = routeOf({
      loadBalancing: { scheme: 'Random' },
      sources: [makeSource('east', { priority: 2, weight: 0 }), makeSource('south', { priority: 0, weight: 1 })],
    });
    assert.equal(scheme, 'Random');
    assert.deepEqual(
      sources.map(({ priority, weight }) => [priority, weight]),
      [
        [2, 0],
        [undefined, undefined],
      ],
    );
  });

  const unordered = [makeSource('a'), makeSource('b', { order: 1 }), makeSource('c', { order: 0 }), makeSource('d')];
  const peersWith = (scheme: 'Static' | 'LeastLatency'): string =>
    routeOf({ loadBalancing: { scheme }, sources: unordered })
      .sources.map(({ peer }) => peer)
      .join('');

  it('Static → in the order of the rule, what it does not name last; another scheme → in order of precedence', () => {
    assert.equal(peersWith('Static'), 'cbad');
    assert.equal(peersWith('LeastLatency'), 'abcd');
  });

  it('a scheme of a newer controller → round robin, and no crash (ClusterLink §8.2, 15)', () => {
    const loadBalancing = { scheme: 'Quantum' } as unknown as NonNullable<IImportBinding['spec']['loadBalancing']>;
    assert.equal(routeOf({ loadBalancing }).scheme, undefined);
  });
});
