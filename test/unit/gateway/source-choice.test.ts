import assert from 'node:assert/strict';
import type { ImportRoute, RouteSource } from '#src/gateway/messages.ts';
import { orderAsRuled, rankUsable, usabilityOf } from '#src/gateway/source-choice.ts';

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

describe('rankUsable', () => {
  interface Row {
    name: string;
    sources: RouteSource[];
    localFirst?: boolean;
    missed?: string[];
    ejected?: string[];
    want: string[][];
  }
  const equals = (...peers: string[]): RouteSource[] => peers.map((peer) => makeSource(peer));
  const rows: Row[] = [
    { name: 'none → none', sources: [], want: [] },
    { name: 'equals → one rank, in their order', sources: equals('east', 'south'), want: [['east', 'south']] },
    {
      name: 'local first → a rank of its own',
      sources: equals('east', 'west', 'south'),
      want: [['west'], ['east', 'south']],
    },
    {
      name: 'not local first → one of many',
      sources: equals('east', 'west'),
      localFirst: false,
      want: [['east', 'west']],
    },
    {
      name: 'a peer has lost its session a moment ago → late',
      sources: equals('east', 'west', 'south'),
      missed: ['east'],
      want: [['west'], ['south'], ['east']],
    },
    {
      name: 'ejected → last of all, behind missed ones, the local one too, and never left out',
      sources: equals('west', 'north', 'east'),
      missed: ['north'],
      ejected: ['west'],
      want: [['east'], ['north'], ['west']],
    },
    {
      name: 'all are ejected → one rank, in which local counts no more',
      sources: equals('east', 'west'),
      ejected: ['east', 'west'],
      want: [['east', 'west']],
    },
    {
      name: 'priorities → lower first, and local first within each',
      sources: [makeSource('west', { priority: 2 }), makeSource('south', { priority: 2 }), makeSource('east')],
      want: [['east'], ['west'], ['south']],
    },
    {
      name: 'the only one of a priority cannot be used → those of the next',
      sources: [makeSource('nowhere'), makeSource('south', { priority: 1 })],
      want: [['south']],
    },
    {
      name: 'the only one of a priority is ejected → those of the next before it',
      sources: [makeSource('east'), makeSource('south', { priority: 9 })],
      ejected: ['east'],
      want: [['south'], ['east']],
    },
    {
      name: 'weight 0 → behind the others of its priority, local or not, and before the next priority',
      sources: [
        makeSource('west', { weight: 0 }),
        makeSource('north', { priority: 1 }),
        makeSource('east', { weight: 5 }),
      ],
      want: [['east'], ['west'], ['north']],
    },
    {
      name: 'a source without the port → not chosen for it (CFL-21)',
      sources: [makeSource('east', { ports: [1] }), makeSource('south')],
      want: [['south']],
    },
    {
      name: 'no session, no ready endpoint → not chosen',
      sources: [makeSource('nowhere'), makeSource('east', { readyEndpoints: 0 })],
      want: [],
    },
  ];
  for (const { name, sources, localFirst, missed = [], ejected = [], want } of rows) {
    it(name, () => {
      const ranks = rankUsable({
        self: 'west',
        route: makeRoute(sources, localFirst),
        port: 5432,
        reachable: new Set(['east', 'south', 'north']),
        isMissed: (peer) => missed.includes(peer),
        isEjected: ({ peer }) => ejected.includes(peer),
      });
      assert.deepEqual(
        ranks.map((rank) => rank.map(({ peer }) => peer)),
        want,
      );
    });
  }
});

describe('orderAsRuled', () => {
  it('priority, weight 0, local first → as ranked, whether they can be used or not', () => {
    const sources = [
      makeSource('far', { priority: 1, readyEndpoints: 0 }),
      makeSource('spare', { weight: 0 }),
      makeSource('east'),
      makeSource('west'),
    ];
    const order = (localFirst: boolean): string[] =>
      orderAsRuled(sources, { self: 'west', route: makeRoute(sources, localFirst) }).map(({ peer }) => peer);
    assert.deepEqual(order(true), ['west', 'east', 'spare', 'far']);
    assert.deepEqual(order(false), ['east', 'west', 'spare', 'far']);
  });
});
