import assert from 'node:assert/strict';
import { summarize } from '#test/bench/dns/change.ts';
import { ALL_FAMILIES, ALL_KEYS, CHANGE_KEYS, FAMILIES, isReached, RATIO_KEYS } from '#test/bench/dns/keys.ts';
import { MEASURES } from '#test/bench/dns/measures.ts';
import { formatChange, formatRounds, formatTable, formatTargets, toResult } from '#test/bench/dns/report.ts';
import { isNoisy, SPREAD_MAX } from '#test/bench/samples.ts';
import type { Round } from '#test/bench/dns/rounds.ts';

function round(number: number, samples: Round['samples'], spread = 0.05): Round {
  return { round: number, echoQps: [100_000, 105_000], spread, samples, failures: [] };
}

const ROUNDS = [
  round(1, { ours: { qps: 90_000, cpu: 10, rss_mib: 80 }, dns2: { qps: 50_000, cpu: 20 }, coredns: { cpu: 20 } }),
  round(2, { ours: { qps: 80_000, cpu: 12 }, dns2: { qps: 40_000 } }, 0.2),
  round(3, { ours: { qps: 100_000 }, dns2: {} }),
];
const CHANGE = summarize([
  { tookMs: 10, writeMs: 5, blockedMs: 0.5, quietMs: 0.1 },
  { tookMs: 60, writeMs: 7, blockedMs: 0.7, quietMs: 0.3 },
  { tookMs: 20, writeMs: 6, blockedMs: 4, quietMs: 0.2 },
]);
const INPUT = { rivals: ['dns2', 'coredns', 'nsd'], rounds: ROUNDS, change: CHANGE, versions: { node: '26' } } as const;

describe('summarize', () => {
  it('changes → medians, and the longest', () => {
    assert.deepEqual(CHANGE, {
      ...{ change_ms: 20, change_max_ms: 60, write_ms: 6 },
      ...{ change_blocked_ms: 0.7, change_blocked_max_ms: 4, quiet_blocked_ms: 0.2, quiet_blocked_max_ms: 0.3 },
    });
  });
});

describe('toResult of dns', () => {
  it('some rounds → medians, ours divided by theirs; what was not measured is not there', () => {
    const { bench, ratios, versions } = toResult(INPUT);
    assert.equal(bench, 'dns');
    assert.deepEqual(ratios, { dns2: { qps: 2, cpu: 0.55 }, coredns: { cpu: 0.55 }, nsd: {} });
    assert.deepEqual(versions, { node: '26' });
  });
  it('ours → as it is, a change too', () => {
    assert.deepEqual(toResult(INPUT).absolute, { qps: 90_000, cpu: 11, rss_mib: 80, ...CHANGE });
    assert.deepEqual(toResult({ ...INPUT, change: undefined }).absolute, { qps: 90_000, cpu: 11, rss_mib: 80 });
  });
  it('every round → what was measured in it, and whether the machine was quiet', () => {
    const { rounds } = toResult(INPUT);
    assert.deepEqual(
      rounds.map(({ noisy }) => noisy),
      [false, true, false],
    );
    assert.deepEqual(rounds[1]?.samples, { ours: { qps: 80_000, cpu: 12 }, dns2: { qps: 40_000 } });
  });
  it('as JSON → nothing is lost', () => {
    const result = toResult(INPUT);
    assert.deepEqual(JSON.parse(JSON.stringify(result)), result);
  });
});

describe('formatTable of dns', () => {
  const lines = formatTable(INPUT).split('\n');
  it('a responder → a column', () => assert.match(lines[0] ?? '', /ours +\| dns2 +\| coredns +\| nsd/));
  it('a key of a rival → median, range, ratio; none → a dash', () => {
    const cpu = lines.find((line) => line.includes('CPU of one')) ?? '';
    assert.match(
      cpu,
      /\| 11\.00 \[10\.00-12\.00\] +\| 20\.00 \[20\.00-20\.00\] x0\.55 +\| 20\.00 [^|]+x0\.55 +\| - +\|$/,
    );
  });
});

describe('formatTargets', () => {
  it('targets of rivals that take part, and of changes → reached or not', () => {
    assert.deepEqual(formatTargets(INPUT).split('\n'), [
      'qps against dns2: 2.00 (>= 1.7) reached',
      'qps against coredns: not measured (>= 1.6)',
      'cpu against coredns: 0.55 (<= 0.55) reached',
      'p99_20k against nsd: not measured (<= 4)',
      'change_max_ms: 60.00 (<= 50) NOT REACHED',
      'change_blocked_ms: 0.70 (<= 1) reached',
    ]);
  });
  it('changes were not measured → no line', () => {
    assert.doesNotMatch(formatTargets({ ...INPUT, change: undefined }), /change/);
  });
});

describe('formatChange', () => {
  it('all → a line each, with its meaning', () => {
    const lines = formatChange(CHANGE).split('\n');
    assert.equal(lines.length, Object.keys(CHANGE_KEYS).length);
    assert.match(lines[0] ?? '', /^change_ms: 20\.00 ms \(from the request/);
  });
});

describe('isReached', () => {
  for (const [value, bound, expected] of [
    [1.7, { atLeast: 1.7 }, true],
    [1.69, { atLeast: 1.7 }, false],
    [4, { atMost: 4 }, true],
    [4.01, { atMost: 4 }, false],
    [NaN, { atMost: 4 }, false],
    [NaN, { atLeast: 4 }, false],
  ] as const) {
    it(`${value}, ${JSON.stringify(bound)} → ${expected}`, () => assert.equal(isReached(value, bound), expected));
  }
});

describe('rounds of dns', () => {
  it('one of three was noisy → it is marked', () => {
    const marked = formatRounds(ROUNDS)
      .split('\n')
      .map((line) => line.includes('NOISY'));
    assert.deepEqual(marked, [false, true, false]);
    assert.deepEqual([isNoisy(SPREAD_MAX), isNoisy(SPREAD_MAX + 0.001)], [false, true]);
  });
});

describe('the names of the result of dns', () => {
  it('all measures → every key once', () => {
    assert.deepEqual(MEASURES.flatMap(({ keys }) => keys).sort(), [...ALL_KEYS].sort());
  });
  it('keys and rivals → as agreed', () => {
    assert.equal(RATIO_KEYS.join(' '), 'qps cpu p99_20k');
    assert.equal(ALL_FAMILIES.flatMap((family) => FAMILIES[family]).join(' '), 'dns2 echo nsd coredns coredns-cache');
  });
});
