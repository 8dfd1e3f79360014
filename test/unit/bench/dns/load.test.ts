import assert from 'node:assert/strict';
import { isIPv4 } from 'node:net';
import fc from 'fast-check';
import { parsePrinted } from '#test/bench/dns/dnsperf.ts';
import { findFault } from '#test/bench/dns/measures.ts';
import { hostOf, missingHost, serviceOf, toImports } from '#test/bench/dns/names.ts';
import { QUERIES, toQueries } from '#test/bench/dns/queries.ts';
import { SAMPLE, takeSample } from '#test/bench/dns/verify.ts';

describe('toImports', () => {
  it('as many as can be asked for → names and addresses of their own', () => {
    const imports = toImports(50_000);
    assert.equal(new Set(imports.map(({ name }) => name)).size, 50_000);
    assert.equal(new Set(imports.map(({ address }) => address)).size, 50_000);
    assert.ok(imports.every(({ address }) => isIPv4(address) && !/\.(0|255)$/.test(address)));
    assert.ok(imports.every(({ port }) => port > 0 && port < 65_536));
  });
  it('fewer → the first of more', () => assert.deepEqual(toImports(3), toImports(10).slice(0, 3)));
});

describe('toQueries', () => {
  const lines = (count: number, queries?: number): readonly string[] =>
    toQueries(toImports(count), Math.random, queries).trimEnd().split('\n');

  it('any number of imports → 70 % A, 15 % SRV, 15 % of names that nobody has', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (count) => {
        const asked = lines(count, 200);
        const hosts = new Set(toImports(count).map((each) => `${hostOf(each)} A`));
        const services = new Set(toImports(count).map((each) => `${serviceOf(each)} SRV`));
        assert.equal(asked.length, 200);
        assert.equal(asked.filter((line) => hosts.has(line)).length, 140);
        assert.equal(asked.filter((line) => services.has(line)).length, 30);
        assert.equal(asked.filter((line) => line.startsWith('missing-')).length, 30);
      }),
      { numRuns: 20 },
    );
  });
  it('10,000 imports → each is asked for', () => {
    const asked = new Set(lines(10_000));
    assert.ok(toImports(10_000).every((each) => asked.has(`${hostOf(each)} A`)));
  });
  it('chance → another order, the same queries', () => {
    const [one, other] = [lines(50), lines(50)];
    assert.notDeepEqual(one, other);
    assert.deepEqual([...one].sort(), [...other].sort());
    assert.equal(one.length, QUERIES);
  });
});

describe('parsePrinted', () => {
  const STATISTICS = `Statistics:

  Queries sent:         20013
  Queries completed:    20000 (99.94%)
  Queries lost:         13 (0.06%)

  Response codes:       NOERROR 17000 (85.00%), NXDOMAIN 3000 (15.00%)
  Average packet size:  request 51, response 81
  Run time (s):         1.000150
  Queries per second:   19997.000450

  Average Latency (s):  0.001339 (min 0.000019, max 0.030346)
`;
  it('statistics → counts, rate, codes', () => {
    assert.deepEqual(parsePrinted(STATISTICS), {
      ...{ completed: 20_000, lost: 13, perSecond: 19_997.000_45 },
      ...{ rcodes: { NOERROR: 17_000, NXDOMAIN: 3_000 }, latenciesMs: [] },
    });
  });
  it('each query told → its time in milliseconds; one that was lost has none', () => {
    const told = [
      '[Status] Sending queries (to 127.0.0.1:53)',
      `> NOERROR ${hostOf({ name: 'svc-0' })} A 0.000990`,
      `> NXDOMAIN ${missingHost(1)} A 1.250000`,
      `> T ${missingHost(2)} A`,
      STATISTICS,
    ].join('\n');
    assert.deepEqual(parsePrinted(told).latenciesMs, [0.99, 1_250]);
  });
  for (const [what, printed] of [
    ['nothing', ''],
    ['an end before its time', 'DNS Performance Testing Tool\n'],
    ['no answers', STATISTICS.replace('20000 (99.94%)', '0 (0.00%)')],
  ] as const) {
    it(`${what} → an error with its words`, () => {
      assert.throws(() => parsePrinted(printed, 'Error: no route'), /no answers[^]*Error: no route/);
    });
  }
});

describe('findFault', () => {
  const answered = (rcodes: Readonly<Record<string, number>>) => ({
    ...{ lost: 0, perSecond: 1, latenciesMs: [], rcodes },
    completed: Object.values(rcodes).reduce((sum, count) => sum + count, 0),
  });
  for (const [answers, rcodes, isRight] of [
    ['names', { NOERROR: 85_000, NXDOMAIN: 15_000 }, true],
    ['names', { NOERROR: 85_900, NXDOMAIN: 14_100 }, true],
    ['names', { NOERROR: 313, NXDOMAIN: 43 }, true],
    ['names', { NOERROR: 100_000 }, false],
    ['names', { NOERROR: 87_000, NXDOMAIN: 13_000 }, false],
    ['names', { NOERROR: 84_990, NXDOMAIN: 15_000, SERVFAIL: 10 }, false],
    ['names', { REFUSED: 1_000 }, false],
    ['itself', { NOERROR: 1_000 }, true],
    ['itself', { NOERROR: 999, SERVFAIL: 1 }, false],
  ] as const) {
    it(`${answers}: ${JSON.stringify(rcodes)} → ${isRight ? 'none' : 'named'}`, () => {
      const fault = findFault(answers, answered(rcodes));
      assert.equal(fault, isRight ? undefined : `wrong answers: ${JSON.stringify(rcodes)}`);
    });
  }
});

describe('takeSample', () => {
  it('many → the first, the last, and some between', () => {
    const imports = toImports(1_000);
    const sample = takeSample(imports);
    assert.equal(sample.length, SAMPLE);
    assert.deepEqual([sample[0], sample.at(-1)], [imports[0], imports.at(-1)]);
  });
  for (const count of [1, 2, SAMPLE]) {
    it(`${count} → all of them, once`, () => assert.deepEqual(takeSample(toImports(count)), toImports(count)));
  }
});
