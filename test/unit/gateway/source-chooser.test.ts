import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ImportRoute, RouteSource, Scheme } from '#src/gateway/messages.ts';
import { makeSourceChooser, type SourceChooser, type SourceQuery } from '#src/gateway/source-chooser.ts';

const SELF = 'self';
const SCHEMES: readonly Scheme[] = ['RoundRobin', 'Random', 'Static', 'LeastLatency'];

function makeSource(peer: string, changes: Partial<RouteSource> = {}): RouteSource {
  return { peer, namespace: 'shop', name: 'db', ports: [1, 2], readyEndpoints: 1, ...changes };
}

const ports = [1, 2].map((port) => ({ name: `p${port}`, protocol: 'TCP' as const, port }));

function makeRoute(sources: readonly RouteSource[], scheme?: Scheme, name = 'db'): ImportRoute {
  const key = { namespace: 'store', name };
  return { key, ips: [], ports, sources, labels: {}, localFirst: true, ...(scheme === undefined ? {} : { scheme }) };
}

const THREE = ['0', '1', '2'].map((peer) => makeSource(peer));
const everybody = new Set(['0', '1', '2', '3', 'a', 'b', 'c', 'd']);

function makeQuery(route: ImportRoute, changes: Partial<SourceQuery> = {}): SourceQuery {
  return {
    self: SELF,
    route,
    port: 1,
    reachable: everybody,
    isMissed: () => false,
    isEjected: () => false,
    ...changes,
  };
}

interface World {
  /** Sources that refuse whoever comes. */
  readonly failing?: readonly string[];
  /** Sources that a policy here does not let the client use. */
  readonly denied?: readonly string[];
}

/** One connection: the peers that it was tried at, the last of them took it. */
function connect(chooser: SourceChooser, query: SourceQuery, { failing = [], denied = [] }: World = {}): string {
  const { sources, attempt } = chooser.choose(query);
  for (const source of sources) {
    if (denied.includes(source.peer)) continue;
    attempt(source);
    if (!failing.includes(source.peer)) return source.peer;
  }
  return '-';
}

const make = (latencies: Readonly<Record<string, number>> = {}): SourceChooser =>
  makeSourceChooser({ random: () => 0.5, latencyMsOf: (peer) => (peer === SELF ? 0 : latencies[peer]) });

/**
 * ClusterLink's table (reference §5), three sources, who serves connection 1, 2, ... What differs on purpose:
 *
 * - Theirs counts before it looks, so that the very first connection goes to source 1. Ours goes to source 0: who lists sources
 *   in an order wants the first one where a single connection is made. From there on the turns are the same, and a retry is one.
 * - An unreachable peer is tried last by theirs, and by ours not at all: without a session there is nothing to try it over.
 */
describe('makeSourceChooser: the table of ClusterLink, three sources', () => {
  const rows: { name: string; scheme: Scheme; world?: World; reachable?: string[]; want: string; theirs: string }[] = [
    { name: 'all up', scheme: 'RoundRobin', want: '012012', theirs: '120120' },
    { name: 'source 0 fails', scheme: 'RoundRobin', world: { failing: ['0'] }, want: '121212', theirs: '121212' },
    { name: 'source 1 fails', scheme: 'RoundRobin', world: { failing: ['1'] }, want: '020202', theirs: '202020' },
    {
      name: 'sources 0 and 1 fail',
      scheme: 'RoundRobin',
      world: { failing: ['0', '1'] },
      want: '2222',
      theirs: '2222',
    },
    { name: 'source 1 unreachable', scheme: 'RoundRobin', reachable: ['0', '2'], want: '020202', theirs: '202020' },
    {
      name: 'a policy denies source 0',
      scheme: 'RoundRobin',
      world: { denied: ['0'] },
      want: '121212',
      theirs: '121212',
    },
    { name: 'all up', scheme: 'Static', want: '000', theirs: '000' },
    { name: 'source 0 fails', scheme: 'Static', world: { failing: ['0'] }, want: '111', theirs: '111' },
    { name: 'sources 0 and 1 fail', scheme: 'Static', world: { failing: ['0', '1'] }, want: '222', theirs: '222' },
    { name: 'source 0 unreachable', scheme: 'Static', reachable: ['1', '2'], want: '111', theirs: '111' },
    { name: 'all unreachable', scheme: 'Static', reachable: [], want: '---', theirs: '---' },
    { name: 'all fail', scheme: 'RoundRobin', world: { failing: ['0', '1', '2'] }, want: '---', theirs: '---' },
  ];
  for (const { name, scheme, world, reachable, want, theirs } of rows) {
    it(`${scheme}, ${name} → ${want}${want === theirs ? ', as theirs' : `, where theirs has ${theirs}`}`, () => {
      const chooser = make();
      const route = makeRoute(THREE, scheme);
      const query = makeQuery(route, reachable === undefined ? {} : { reachable: new Set(reachable) });
      assert.equal(Array.from(want, () => connect(chooser, query, world)).join(''), want);
    });
  }

  it('Random → each of them, and only those that are there', () => {
    let drawn = 0;
    const chooser = makeSourceChooser({ random: () => (drawn += 0.381_966) % 1, latencyMsOf: () => undefined });
    const seen = (reachable: Set<string>): Set<string> =>
      new Set(
        Array.from({ length: 100 }, () => connect(chooser, makeQuery(makeRoute(THREE, 'Random'), { reachable }))),
      );
    assert.deepEqual([...seen(everybody)].sort(), ['0', '1', '2']);
    assert.deepEqual([...seen(new Set(['1', '2']))].sort(), ['1', '2']);
  });

  it('no scheme → RoundRobin', () => {
    const chooser = make();
    const query = makeQuery(makeRoute(THREE));
    assert.equal(Array.from('012', () => connect(chooser, query)).join(''), '012');
  });
});

describe('makeSourceChooser', () => {
  const connections = (count: number, once: () => string): string => Array.from({ length: count }, once).join('');

  it('RoundRobin with weights → smooth and exact', () => {
    const chooser = make();
    const route = makeRoute([makeSource('a', { weight: 5 }), makeSource('b'), makeSource('c')]);
    assert.equal(
      connections(7, () => connect(chooser, makeQuery(route))),
      'abaacaa',
    );
  });

  it('weight 0 → only while no other of its priority can be used', () => {
    const chooser = make();
    const route = makeRoute([makeSource('a', { weight: 0 }), makeSource('b'), makeSource('c', { priority: 1 })]);
    assert.equal(
      connections(3, () => connect(chooser, makeQuery(route))),
      'bbb',
    );
    assert.equal(
      connections(3, () => connect(chooser, makeQuery(route), { failing: ['b'] })),
      'aaa',
    );
    assert.equal(
      connections(3, () => connect(chooser, makeQuery(route, { reachable: new Set(['c']) }))),
      'ccc',
    );
  });

  it('two ports, clients that use one after the other → each port is shared alike', () => {
    const chooser = make();
    const route = makeRoute([makeSource('a'), makeSource('b')]);
    const both = (): string => [1, 2].map((port) => connect(chooser, makeQuery(route, { port }))).join('');
    assert.equal(connections(2, both), 'aabb');
  });

  it('two imports → each has its turns', () => {
    const chooser = make();
    const [db, web] = ['db', 'web'].map((name) => makeRoute(THREE, 'RoundRobin', name));
    assert.ok(db && web);
    assert.deepEqual([db, web, db, web].map((route) => connect(chooser, makeQuery(route))).join(''), '0011');
  });

  it('a source that is slow gets more time in the end → that is no second turn', () => {
    const query = makeQuery(makeRoute(THREE));
    const after = (indexes: readonly number[]): string => {
      const chooser = make();
      const { sources, attempt } = chooser.choose(query);
      for (const index of indexes) attempt(sources[index] ?? assert.fail());
      return connections(6, () => connect(chooser, query));
    };
    assert.equal(after([0, 1, 0]), after([0, 1]));
  });

  it('who may not use a source goes on to the next → its turn waits for who may', () => {
    const chooser = make();
    const query = makeQuery(makeRoute(THREE));
    assert.equal(
      connections(40, () => connect(chooser, query, { denied: ['0'] })),
      '12'.repeat(20),
    );
    assert.equal(
      connections(6, () => connect(chooser, query)),
      '012012',
    );
  });

  it('many at once, none is open yet → each has its turn all the same', () => {
    const chooser = make();
    const firsts = Array.from({ length: 6 }, () => {
      const { sources, attempt } = chooser.choose(makeQuery(makeRoute(THREE)));
      attempt(sources[0] ?? assert.fail());
      return sources[0]?.peer;
    });
    assert.equal(firsts.join(''), '012012');
  });

  it('other sources or weights → the wheel begins anew', () => {
    const chooser = make();
    const [first, second] = ['a', 'b'].map((peer) => makeSource(peer));
    assert.ok(first && second);
    const heavy = makeQuery(makeRoute([{ ...first, weight: 1_000 }, second]));
    assert.equal(
      connections(2, () => connect(chooser, heavy)),
      'ab',
      'a is owed 999 shares now',
    );
    const equal = makeQuery(makeRoute([first, second]));
    assert.equal(
      connections(4, () => connect(chooser, equal)),
      'abab',
    );
  });

  it('a snapshot in which nothing of this port has changed → it goes on', () => {
    const chooser = make();
    const sources = ['a', 'b'].map((peer) => makeSource(peer));
    assert.equal(connect(chooser, makeQuery(makeRoute(sources))), 'a');
    const next = [...sources.map((source) => ({ ...source })), makeSource('c', { ports: [2] })];
    assert.equal(connect(chooser, makeQuery(makeRoute(next))), 'b');
  });

  it('an import is gone and back → nothing is remembered of it', () => {
    const chooser = make();
    const route = makeRoute(THREE);
    const once = (): string => connect(chooser, makeQuery(route));
    assert.equal(once(), '0');
    chooser.retain(new Map([['store/db', route]]));
    assert.equal(once(), '1');
    chooser.retain(new Map([['store/db', { ...route, ports: [] }]]));
    assert.equal(once(), '0');
    chooser.retain(new Map());
    assert.equal(once(), '0');
  });

  it('LeastLatency → the nearest; a little nearer is not enough; the nearest is away → the next, and back by the margin', () => {
    const latencies: Record<string, number> = { '0': 50, '1': 20, '2': 30 };
    const chooser = make(latencies);
    const route = makeRoute(THREE, 'LeastLatency');
    const once = (changes: Partial<SourceQuery> = {}): string => connect(chooser, makeQuery(route, changes));
    assert.equal(once(), '1');
    latencies['1'] = 33;
    assert.equal(once(), '1', 'hysteresis');
    latencies['1'] = 40;
    assert.equal(once(), '2');
    assert.equal(once({ isEjected: ({ peer }) => peer === '2' }), '1');
    assert.equal(once(), '2');
  });

  describe('with session affinity', () => {
    const sticky = (address: string, had?: string) => ({ key: `store/db ${address}`, had });
    const route = (scheme: Scheme, sources = THREE): ImportRoute => makeRoute(sources, scheme);

    for (const scheme of SCHEMES) {
      it(`${scheme} → the source that the client had, whatever the scheme says`, () => {
        const chooser = make({ '0': 1, '1': 100, '2': 1 });
        const query = makeQuery(route(scheme), { sticky: sticky('10.0.0.1', '1/shop/db') });
        assert.equal(
          connections(3, () => connect(chooser, query)),
          '111',
        );
      });
    }

    it('never before → replicas choose alike, clients are spread; Static → all by the rule', () => {
      const firstOf = (scheme: Scheme, client: number): string =>
        connect(make(), makeQuery(route(scheme), { sticky: sticky(`10.0.0.${client}`) }));
      const clients = Array.from({ length: 60 }, (_, client) => client);
      const spread = clients.map((client) => firstOf('RoundRobin', client));
      assert.equal(new Set(spread).size, 3);
      assert.deepEqual(
        clients.map((client) => firstOf('Random', client)),
        spread,
      );
      assert.deepEqual(new Set(clients.map((client) => firstOf('Static', client))), new Set(['0']));
    });

    it('the source that it had is ejected, or of a later priority → no reason to go there', () => {
      const query = makeQuery(route('RoundRobin'), { sticky: sticky('10.0.0.1', '1/shop/db') });
      assert.notEqual(connect(make(), { ...query, isEjected: ({ peer }) => peer === '1' }), '1');
      const later = THREE.map((source) => (source.peer === '1' ? { ...source, priority: 1 } : source));
      assert.notEqual(connect(make(), { ...query, route: route('RoundRobin', later) }), '1');
    });

    it('weights → shares of clients', () => {
      const sources = [makeSource('a', { weight: 3 }), makeSource('b')];
      const clients = Array.from({ length: 1_000 }, (_, client) =>
        connect(
          make(),
          makeQuery(route('RoundRobin', sources), { sticky: sticky(`10.0.${client >> 8}.${client & 255}`) }),
        ),
      );
      const count = clients.filter((peer) => peer === 'a').length;
      assert.ok(count > 680 && count < 820, String(count));
    });
  });

  const source = fc.record({
    peer: fc.constantFrom(SELF, 'a', 'b', 'c', 'd'),
    name: fc.constantFrom('db', 'web'),
    priority: fc.nat(2),
    weight: fc.nat(3),
    readyEndpoints: fc.nat(1),
    ports: fc.subarray([1, 2]),
  });
  const step = fc.record({
    scheme: fc.constantFrom(...SCHEMES),
    reachable: fc.subarray(['a', 'b', 'c', 'd']),
    missed: fc.subarray(['a', 'b', 'c', 'd']),
    ejected: fc.subarray(['a', 'b', 'c', 'd', SELF]),
    had: fc.option(fc.constantFrom('a/shop/db', 'none/x/y'), { nil: undefined }),
    isSticky: fc.boolean(),
    failing: fc.subarray(['a', 'b', 'c', 'd', SELF]),
  });

  it('any history → each usable source exactly once, no other, and none before one of a better rank', () => {
    const sources = fc.uniqueArray(source, { selector: ({ peer, name }) => `${peer}/${name}`, maxLength: 8 });
    fc.assert(
      fc.property(sources, fc.array(step, { minLength: 1, maxLength: 8 }), (drawn, steps) => {
        const all = drawn.map((one) => ({ namespace: 'shop', ...one }));
        const chooser = make({ a: 10, b: 5 });
        for (const { scheme, reachable, missed, ejected, had, isSticky, failing } of steps) {
          const query = makeQuery(makeRoute(all, scheme), {
            reachable: new Set(reachable),
            isMissed: (peer) => missed.includes(peer),
            isEjected: ({ peer }) => ejected.includes(peer),
            ...(isSticky ? { sticky: { key: 'client', had } } : {}),
          });
          const { sources: ordered } = chooser.choose(query);
          const isUsable = ({ peer, readyEndpoints, ports: offered }: RouteSource): boolean =>
            readyEndpoints > 0 && offered.includes(1) && (peer === SELF || reachable.includes(peer));
          assert.deepEqual(new Set(ordered), new Set(all.filter(isUsable)));
          assert.equal(ordered.length, new Set(ordered).size);
          const isWell = ({ peer }: RouteSource): boolean => !missed.includes(peer) && !ejected.includes(peer);
          const well = ordered.filter(isWell);
          assert.deepEqual(ordered.slice(0, well.length).filter(isWell), well, 'those that are well come first');
          const priorities = well.map(({ priority = 0 }) => priority);
          assert.deepEqual(
            priorities,
            [...priorities].sort((a, b) => a - b),
          );
          connect(chooser, query, { failing });
        }
      }),
      { numRuns: 100 },
    );
  });

  it('any weights, N connections → each source has its share within one, and who is away has none', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 4 });
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 150 }), fc.boolean(), (drawn, count, hasAbsent) => {
        const peers = ['a', 'b', 'c', 'd'].slice(0, drawn.length);
        const all = drawn.map((weight, index) => makeSource(peers[index] ?? '', { weight }));
        const reachable = new Set(hasAbsent ? peers.slice(1) : peers);
        const chooser = make();
        const used = Array.from({ length: count }, () => connect(chooser, makeQuery(makeRoute(all), { reachable })));
        const there = all.filter(({ peer }) => reachable.has(peer));
        const total = there.reduce((sum, { weight = 1 }) => sum + weight, 0);
        for (const { peer, weight = 1 } of all) {
          const share = reachable.has(peer) ? (count * weight) / total : 0;
          assert.ok(Math.abs(used.filter((one) => one === peer).length - share) < 1, `${peer}: ${used.join('')}`);
        }
      }),
      { numRuns: 50 },
    );
  });
});
