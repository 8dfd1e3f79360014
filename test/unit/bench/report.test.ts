import assert from 'node:assert/strict';
import { ABSOLUTE_KEYS, ALL_FAMILIES, FAMILIES, RATIO_KEYS } from '#test/bench/gateway/keys.ts';
import { MEASURES } from '#test/bench/gateway/measures.ts';
import { ALL_KEYS } from '#test/bench/gateway/keys.ts';
import { formatRounds, formatTable, toResult } from '#test/bench/gateway/report.ts';
import { isNoisy, SPREAD_MAX } from '#test/bench/samples.ts';
import type { Round } from '#test/bench/gateway/rounds.ts';

function round(number: number, samples: Round['samples'], spread = 0.05): Round {
  return { round: number, directGbit: [10, 10.5], spread, samples, failures: [] };
}

const ROUNDS = [
  round(1, { ours: { cpu_f1: 1, p99_paced: 3, cpu_f4: 2 }, haproxy2: { cpu_f1: 2, p99_paced: 4 } }),
  round(2, { ours: { cpu_f1: 3 }, haproxy2: { cpu_f1: 1.5 } }, 0.2),
  round(3, { ours: { cpu_f1: 1.2 }, haproxy2: {} }),
];
const INPUT = { rivals: ['haproxy2', 'pipe'], rounds: ROUNDS, versions: { node: '26' } } as const;

describe('toResult', () => {
  it('some rounds → medians, ours divided by theirs; what was not measured is not there', () => {
    const { bench, ratios, absolute, versions } = toResult(INPUT);
    assert.equal(bench, 'gateway');
    assert.deepEqual(ratios, { haproxy2: { cpu_f1: 0.6857 }, pipe: {} });
    assert.deepEqual(absolute, { cpu_f1: 1.2, p99_paced: 3 });
    assert.deepEqual(versions, { node: '26' });
  });
  it('every round → what was measured in it, and whether the machine was quiet', () => {
    const { rounds } = toResult(INPUT);
    assert.deepEqual(
      rounds.map(({ noisy }) => noisy),
      [false, true, false],
    );
    assert.deepEqual(rounds[0]?.samples, {
      ours: { cpu_f1: 1, cpu_f4: 2, p99_paced: 3 },
      haproxy2: { cpu_f1: 2, p99_paced: 4 },
    });
  });
  it('as JSON → nothing is lost', () => {
    const result = toResult(INPUT);
    assert.deepEqual(JSON.parse(JSON.stringify(result)), result);
  });
});

describe('isNoisy', () => {
  it('at the bound → no', () => assert.equal(isNoisy(SPREAD_MAX), false));
  it('beyond it → yes', () => assert.equal(isNoisy(SPREAD_MAX + 0.001), true));
});

describe('formatTable', () => {
  it('a key of a rival → median, range, ratio; none → a dash', () => {
    const lines = formatTable(INPUT).split('\n');
    assert.match(lines[0] ?? '', /ours +\| haproxy2 +\| pipe/);
    const cpu = lines.find((line) => line.includes('CPU, F, 1 stream')) ?? '';
    assert.match(cpu, /\| 1\.200 \[1\.000-3\.000\] +\| 1\.750 \[1\.500-2\.000\] x0\.69 +\| - +\|$/);
  });
  it('a key that nobody has → no row', () => assert.ok(!formatTable(INPUT).includes('idle')));
});

describe('formatRounds', () => {
  it('one of three was noisy → it is marked', () => {
    const marked = formatRounds(ROUNDS)
      .split('\n')
      .map((line) => line.includes('NOISY'));
    assert.deepEqual(marked, [false, true, false]);
  });
});

describe('MEASURES', () => {
  it('all of them → every key once', () => {
    const keys = MEASURES.flatMap((measure) => measure.keys);
    assert.deepEqual([...keys].sort(), [...ALL_KEYS].sort());
  });
});

describe('the names of the result', () => {
  it('keys of the ratios → as agreed', () => {
    const agreed =
      'cpu_f1 cpu_r1 cpu_f16 cpu_r16 gbit_f1 gbit_r1 gbit_f16 gbit_r16 tunnels_1 tunnels_32 cpu_per_tunnel_32 p99_tunnels_32 p50_paced kib_idle';
    assert.equal(RATIO_KEYS.join(' '), agreed);
    assert.equal(ABSOLUTE_KEYS.join(' '), `${agreed} p99_paced p99_paced_beside_bulk`);
  });
  it('rivals → as agreed', () => {
    const rivals = ALL_FAMILIES.flatMap((family) => FAMILIES[family]);
    assert.equal(rivals.join(' '), 'haproxy2 haproxy3 envoy-tcp envoy-h2 clusterlink-go clusterlink-envoy pipe');
  });
});
