import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LATENCY_MARGIN_MIN_MS, LATENCY_MARGIN_PERCENT } from '#src/gateway/limits.ts';
import type { RouteSource } from '#src/gateway/messages.ts';
import { orderByChance, orderByLatency, shareOf } from '#src/gateway/source-orders.ts';

function makeSource(peer: string, weight?: number): RouteSource {
  const source = { peer, namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 };
  return weight === undefined ? source : { ...source, weight };
}

const peersOf = (sources: readonly RouteSource[]): string[] => sources.map(({ peer }) => peer);

/** The same numbers for the same seed (mulberry32). */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('shareOf', () => {
  it('absent → 1; 0, in a rank of its own → 1; else the weight', () => {
    assert.deepEqual([makeSource('a'), makeSource('a', 0), makeSource('a', 7)].map(shareOf), [1, 1, 7]);
  });
});

describe('orderByChance', () => {
  /** How often each is the first in as many draws. */
  function countFirsts(sources: readonly RouteSource[], draws: number): number[] {
    const random = makeRandom(42);
    const firsts = Array.from({ length: draws }, () => orderByChance(sources, random)[0]?.peer);
    return sources.map(({ peer }) => firsts.filter((first) => first === peer).length);
  }

  it('three equal ones, 9,000 connections → a third each, within 5 standard deviations', () => {
    const counts = countFirsts(
      ['a', 'b', 'c'].map((peer) => makeSource(peer)),
      9_000,
    );
    assert.ok(
      counts.every((count) => Math.abs(count - 3_000) < 5 * 45),
      counts.join(),
    );
  });

  it('weights 1, 2 and 7, 10,000 connections → by weight, within 5 standard deviations', () => {
    const counts = countFirsts([makeSource('a', 1), makeSource('b', 2), makeSource('c', 7)], 10_000);
    const wanted = [1_000, 2_000, 7_000];
    assert.ok(
      counts.every((count, index) => Math.abs(count - (wanted[index] ?? 0)) < 5 * 46),
      counts.join(),
    );
  });

  it('any number that random may give, 0 too → each source once', () => {
    const number = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1_000), number), { maxLength: 64 }), (drawn) => {
        const sources = drawn.map(([weight], index) => makeSource(`p${index}`, weight));
        const numbers = drawn.map(([, value]) => value);
        const ordered = orderByChance(sources, () => numbers.pop() ?? 0);
        assert.deepEqual(peersOf(ordered).sort(), peersOf(sources).sort());
      }),
      { numRuns: 100 },
    );
  });
});

describe('orderByLatency', () => {
  const sources = ['a', 'b', 'c'].map((peer) => makeSource(peer));
  const order = (latencies: Record<string, number>, leader?: string): string =>
    peersOf(
      orderByLatency({
        sources,
        latencyMsOf: (peer) => latencies[peer],
        leader: leader === undefined ? undefined : `${leader}/shop/db`,
      }),
    ).join('');
  const margin = LATENCY_MARGIN_PERCENT / 100;

  const cases: { name: string; latencies: Record<string, number>; leader?: string; want: string }[] = [
    { name: 'nobody led → the nearest first', latencies: { a: 30, b: 10, c: 20 }, want: 'bca' },
    { name: 'nothing is known → in the order of the rule', latencies: {}, want: 'abc' },
    { name: 'unknown → after known, and in the order of the rule', latencies: { c: 900 }, want: 'cab' },
    { name: 'self → 0, before all', latencies: { a: 0.2, c: 0 }, want: 'cab' },
    {
      name: 'another is nearer, by the margin → who led goes on',
      latencies: { a: 100, b: 100 - 100 * margin },
      leader: 'a',
      want: 'abc',
    },
    {
      name: 'by more than the margin → it leads',
      latencies: { a: 100, b: 99 - 100 * margin },
      leader: 'a',
      want: 'bac',
    },
    {
      name: 'by the least difference, of little → who led goes on',
      latencies: { a: 1.5, b: 1.5 - LATENCY_MARGIN_MIN_MS },
      leader: 'a',
      want: 'abc',
    },
    { name: 'by more than that → it leads', latencies: { a: 1.6, b: 0.5 }, leader: 'a', want: 'bac' },
    {
      name: 'who led is not measured any more, another is → that one leads',
      latencies: { b: 5_000 },
      leader: 'a',
      want: 'bac',
    },
    { name: 'nobody is measured → who led goes on', latencies: {}, leader: 'c', want: 'cab' },
    { name: 'who led is gone → the nearest', latencies: { a: 30, b: 29.9 }, leader: 'z', want: 'bac' },
    { name: 'those behind the leader → by latency', latencies: { a: 10, b: 12, c: 9 }, leader: 'a', want: 'acb' },
  ];
  for (const { name, latencies, leader, want } of cases) {
    it(name, () => assert.equal(order(latencies, leader), want));
  }

  it('two that are as far as each other, and every ping differs by a tenth → one leads all the time', () => {
    const random = makeRandom(7);
    const noisy = (): number => 20 * (1 + (random() - 0.5) / 10);
    let leader = 'a';
    const led = new Set<string>();
    for (let connection = 0; connection < 1_000; connection++) {
      leader = order({ a: noisy(), b: noisy(), c: 80 }, leader).charAt(0);
      led.add(leader);
    }
    assert.equal(led.size, 1);
  });
});
