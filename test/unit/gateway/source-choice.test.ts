import assert from 'node:assert/strict';
import type { ImportRoute, RouteSource } from '#src/gateway/messages.ts';
import { orderSources, usabilityOf } from '#src/gateway/source-choice.ts';

function makeSource(peer: string, changes: Partial<RouteSource> = {}): RouteSource {
  return { peer, namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1, ...changes };
}

function makeRoute(sources: RouteSource[], localFirst = true): ImportRoute {
  return {
    key: { namespace: 'store', name: 'db' },
    ips: ['127.96.0.1'],
    ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }],
    sources,
    labels: {},
    localFirst,
  };
}

describe('usabilityOf', () => {
  const reachable = new Set(['east']);
  const cases = [
    { name: 'reachable with endpoints', source: makeSource('east'), want: { usable: true } },
    { name: 'no session', source: makeSource('south'), want: { usable: false, reason: 'PEER_UNREACHABLE' } },
    {
      name: 'no ready endpoint',
      source: makeSource('east', { readyEndpoints: 0 }),
      want: { usable: false, reason: 'NO_USABLE_SOURCE' },
    },
    { name: 'self needs no session', source: makeSource('west'), want: { usable: true } },
  ];
  for (const { name, source, want } of cases) {
    it(`${name} → ${JSON.stringify(want)}`, () => {
      assert.deepEqual(usabilityOf({ self: 'west', source, reachable }), want);
    });
  }
});

describe('orderSources', () => {
  const reachable = new Set(['east', 'south', 'north']);
  const isMissed = (peer: string): boolean => missed.has(peer);
  const isEjected = ({ peer }: RouteSource): boolean => ejected.has(peer);
  let missed: Set<string>;
  let ejected: Set<string>;
  beforeEach(() => {
    missed = new Set();
    ejected = new Set();
  });
  const order = (route: ImportRoute, turn: number, port = 5432): string[] =>
    orderSources({ self: 'west', route, port, reachable, isMissed, isEjected, turn }).map(({ peer }) => peer);

  it('round robin → each connection begins one further, the others follow as fall-backs', () => {
    const route = makeRoute(['east', 'south', 'north'].map((peer) => makeSource(peer)));
    assert.deepEqual(
      [0, 1, 2, 3].map((turn) => order(route, turn)),
      [
        ['east', 'south', 'north'],
        ['south', 'north', 'east'],
        ['north', 'east', 'south'],
        ['east', 'south', 'north'],
      ],
    );
  });

  it('local first → the local source leads whatever the turn', () => {
    const route = makeRoute(['east', 'west', 'south'].map((peer) => makeSource(peer)));
    assert.deepEqual(
      [0, 1].map((turn) => order(route, turn)),
      [
        ['west', 'east', 'south'],
        ['west', 'south', 'east'],
      ],
    );
  });

  it('a peer has lost its session a moment ago → its source comes last', () => {
    missed.add('east');
    const route = makeRoute(['east', 'west', 'south'].map((peer) => makeSource(peer)));
    assert.deepEqual(order(route, 0), ['west', 'south', 'east']);
  });

  it('ejected → last of all, behind missed ones, the local one too, and never left out', () => {
    missed.add('north');
    ejected.add('west');
    const route = makeRoute(['west', 'north', 'east'].map((peer) => makeSource(peer)));
    assert.deepEqual(order(route, 0), ['east', 'north', 'west']);
    ejected.add('north').add('east');
    assert.deepEqual(order(route, 1), ['north', 'east', 'west']);
  });

  it('not local first → the local source is one of many', () => {
    const route = makeRoute([makeSource('east'), makeSource('west')], false);
    assert.deepEqual(order(route, 0), ['east', 'west']);
  });

  it('a source without the port → not chosen for it (CFL-21)', () => {
    const route = makeRoute([makeSource('east', { ports: [1] }), makeSource('south')]);
    assert.deepEqual(order(route, 0), ['south']);
  });

  it('another order is preferred → within the local one and within the others, and no turn', () => {
    const route = makeRoute(['east', 'west', 'south', 'north'].map((peer) => makeSource(peer)));
    const prefer = (sources: RouteSource[]): RouteSource[] => [...sources].reverse();
    const ordered = orderSources({ self: 'west', route, port: 5432, reachable, isMissed, isEjected, turn: 0, prefer });
    assert.deepEqual(
      ordered.map(({ peer }) => peer),
      ['west', 'north', 'south', 'east'],
    );
  });

  it('no source can be used → none', () => {
    assert.deepEqual(order(makeRoute([makeSource('nowhere')]), 0), []);
  });
});
