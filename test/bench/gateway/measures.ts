/** The measures: what is done to one pair, and which keys come of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { transfer, type Transfer } from './iperf3.ts';
import type { Key, Sample } from './keys.ts';
import type { Load } from './load.ts';
import type { LoadOrder, LoadReport } from './load-process.ts';
import { cpuSecondsOf, residentKibOf } from '../proc.ts';
import { quantile } from '../statistics.ts';
import type { Pair, Stage } from './system.ts';

/** Before each sample, so that it finds buffers, windows and sessions as they are under load. */
const WARM_UP_MIB = 256;
const WARM_UP_MS = 500;
/** In flight, of the measure that costs most, and of what comes before it. */
const TUNNELS_MANY = 32;
/** The most that are measured. */
const STREAMS_MANY = 16;
/** Of one kind of work, while a pair is warmed up. */
const TURN_SECONDS = 3;
/** From one paced exchange to the next: what follows finds everything at rest. */
const PACE_MS = 20;
/** Memory has settled when two looks give nearly the same. */
const SETTLE_LOOK_MS = 500;
const SETTLE_LOOKS_MIN = 4;
const SETTLE_LOOKS_MAX = 16;
const SETTLED_SHARE = 0.005;
/** For what gateways still do after the last answer: they close. */
const CLOSING_MS = 100;
/** Paced exchanges begin when bulk has found its speed, and end before it does. */
const BULK_LEAD_SECONDS = 1;

export interface Bench {
  readonly stage: Stage;
  readonly load: Load;
  /** The length of one transfer, and of one run of tunnels. */
  readonly seconds: number;
  /** The length of one run of paced exchanges: there have to be enough of them for a p99. */
  readonly pacedSeconds: number;
  readonly idleTunnels: number;
  /**
   * How often a pair does all kinds of work in turn before it is measured for the first time. V8 compiles for what it has seen, and anew
   * when it sees something else: after a minute or so it has seen all of it together.
   */
  readonly warmUpTurns: number;
}

/** What a gateway compiles for: opening tunnels, and carrying bytes one way. */
export type Work = 'tunnels' | 'forward' | 'back';

export interface Measure {
  readonly title: string;
  readonly keys: readonly Key[];
  /** `fresh`: of a pair that nothing has gone through, and that is ended then. */
  readonly pair: 'warm' | 'fresh';
  /** What it makes a pair do: pairs that are kept have done it before. */
  readonly work: readonly Work[];
  take(bench: Bench, pair: Pair): Promise<Sample>;
}

export const MEASURES: readonly Measure[] = [
  {
    title: 'idle tunnels',
    keys: ['kib_idle', 'mib_fresh'],
    pair: 'fresh',
    work: [],
    take: takeIdle,
  },
  ...([1, 4, 16] as const).flatMap((streams) => [
    toBulk({ way: 'forward', streams, cpu: `cpu_f${streams}`, gbit: `gbit_f${streams}` }),
    toBulk({ way: 'back', streams, cpu: `cpu_r${streams}`, gbit: `gbit_r${streams}` }),
  ]),
  {
    title: 'new tunnels, 1 in flight',
    keys: ['tunnels_1'],
    pair: 'warm',
    work: ['tunnels'],
    async take(bench, pair) {
      return { tunnels_1: (await openTunnels(bench, pair, 1)).perSecond };
    },
  },
  {
    title: 'new tunnels, 32 in flight',
    keys: ['tunnels_32', 'cpu_per_tunnel_32', 'p99_tunnels_32'],
    pair: 'warm',
    work: ['tunnels'],
    async take(bench, pair) {
      const { perSecond, cpuUs, p99Ms } = await openTunnels(bench, pair, TUNNELS_MANY);
      return { tunnels_32: perSecond, cpu_per_tunnel_32: cpuUs, p99_tunnels_32: p99Ms };
    },
  },
  {
    title: 'paced exchanges',
    keys: ['p50_paced', 'p99_paced'],
    pair: 'warm',
    work: ['tunnels'],
    async take(bench, pair) {
      await exchange(bench, { kind: 'paced', to: pair.entries.echo, everyMs: PACE_MS, durationMs: WARM_UP_MS });
      const latenciesMs = await takePaced(bench, pair);
      return { p50_paced: at(latenciesMs, 0.5), p99_paced: at(latenciesMs, 0.99) };
    },
  },
  {
    title: 'paced exchanges beside bulk',
    keys: ['p99_paced_beside_bulk'],
    pair: 'warm',
    work: ['tunnels', 'forward'],
    async take(bench, pair) {
      const seconds = bench.pacedSeconds + 2 * BULK_LEAD_SECONDS;
      const bulk = transfer(bench.stage.processes, toTransfer(bench, pair, { seconds }));
      // It is awaited below; what fails before must not end the benchmark.
      bulk.catch(() => undefined);
      await sleep(BULK_LEAD_SECONDS * 1_000);
      const latenciesMs = await takePaced(bench, pair);
      await bulk;
      return { p99_paced_beside_bulk: at(latenciesMs, 0.99) };
    },
  },
];

interface Bulk {
  readonly way: Transfer['way'];
  readonly streams: number;
  readonly cpu: Key;
  readonly gbit: Key;
}

function toBulk({ way, streams, cpu, gbit }: Bulk): Measure {
  return {
    title: `${streams} ${streams === 1 ? 'stream' : 'streams'} ${way}`,
    keys: [cpu, gbit],
    pair: 'warm',
    work: [way],
    async take(bench, pair) {
      const lead = toTransfer(bench, pair, { mib: WARM_UP_MIB });
      await transfer(bench.stage.processes, { ...lead, way, streams });
      const taken = await takeBulk(bench, pair, { way, streams });
      return { [cpu]: taken.cpu, [gbit]: taken.gbit };
    },
  };
}

/** One transfer, and the CPU of both gateways in seconds for 10^9 bytes that arrived. */
export async function takeBulk(
  bench: Bench,
  pair: Pair,
  shape: Pick<Transfer, 'way' | 'streams'>,
): Promise<{ readonly cpu: number; readonly gbit: number }> {
  const whole = { ...toTransfer(bench, pair, { seconds: bench.seconds }), ...shape };
  const before = cpuSecondsOf(pair.pids);
  const { bytes, gbit } = await transfer(bench.stage.processes, whole);
  return { cpu: (cpuSecondsOf(pair.pids) - before) / (bytes / 1e9), gbit };
}

/** One stream forward, unless the caller says something else. */
function toTransfer(
  { stage }: Bench,
  { entries, servers = stage.services }: Pair,
  amount: Transfer['amount'],
): Transfer {
  return { through: entries.iperf3, server: servers.iperf3, way: 'forward', streams: 1, amount };
}

/** Bytes go in one stream, and in many in every other turn. */
export async function doInTurns(
  bench: Bench,
  pair: Pair,
  { works, turns }: { readonly works: readonly Work[]; readonly turns: number },
): Promise<void> {
  for (let turn = 1; turn <= turns; turn++) {
    const streams = turn % 2 === 0 ? STREAMS_MANY : 1;
    for (const work of works) await doWork(bench, pair, { work, streams, seconds: TURN_SECONDS });
  }
}

export async function doWork(
  bench: Bench,
  pair: Pair,
  { work, streams, seconds }: { readonly work: Work; readonly streams: number; readonly seconds: number },
): Promise<void> {
  if (work === 'tunnels') {
    const many = { kind: 'tunnels', to: pair.entries.echo, inFlight: TUNNELS_MANY } as const;
    await exchange(bench, { ...many, durationMs: seconds * 1_000 });
  } else {
    await transfer(bench.stage.processes, { ...toTransfer(bench, pair, { seconds }), way: work, streams });
  }
}

/** Gbit/s without any gateway: whether the machine was quiet. */
export async function takeDirect({ stage, seconds }: Bench): Promise<number> {
  const { iperf3 } = stage.services;
  const straight = { through: iperf3, server: iperf3, way: 'forward', streams: 1 } as const;
  return (await transfer(stage.processes, { ...straight, amount: { seconds } })).gbit;
}

interface Tunnels {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly p99Ms: number;
}

async function openTunnels(bench: Bench, pair: Pair, inFlight: number): Promise<Tunnels> {
  const order = { kind: 'tunnels', to: pair.entries.echo, inFlight } as const;
  await exchange(bench, { ...order, durationMs: WARM_UP_MS });
  await sleep(CLOSING_MS);
  const before = cpuSecondsOf(pair.pids);
  const { latenciesMs, tookMs } = await exchange(bench, { ...order, durationMs: bench.seconds * 1_000 });
  await sleep(CLOSING_MS);
  const cpuSeconds = cpuSecondsOf(pair.pids) - before;
  const count = latenciesMs.length;
  return { perSecond: (count / tookMs) * 1_000, cpuUs: (cpuSeconds / count) * 1e6, p99Ms: at(latenciesMs, 0.99) };
}

async function takePaced(bench: Bench, { entries }: Pair): Promise<readonly number[]> {
  const durationMs = bench.pacedSeconds * 1_000;
  return (await exchange(bench, { kind: 'paced', to: entries.echo, everyMs: PACE_MS, durationMs })).latenciesMs;
}

/** From a fresh start: what a warm-up leaves free would hide a part of the growth. */
async function takeIdle({ load, idleTunnels }: Bench, { pids, entries }: Pair): Promise<Sample> {
  const freshKib = await settledKib(pids);
  await load.order({ kind: 'hold', to: entries.echo, count: idleTunnels });
  try {
    const idleKib = await settledKib(pids);
    return { kib_idle: (idleKib - freshKib) / idleTunnels, mib_fresh: freshKib / 1024 };
  } finally {
    await load.order({ kind: 'release' });
  }
}

async function settledKib(pids: readonly number[]): Promise<number> {
  let kib = residentKibOf(pids);
  for (let look = 1; look < SETTLE_LOOKS_MAX; look++) {
    await sleep(SETTLE_LOOK_MS);
    const next = residentKibOf(pids);
    const isSettled = Math.abs(next - kib) <= SETTLED_SHARE * kib;
    kib = next;
    if (isSettled && look >= SETTLE_LOOKS_MIN) break;
  }
  return kib;
}

async function exchange({ load }: Bench, order: LoadOrder): Promise<Extract<LoadReport, { kind: 'timed' }>> {
  const report = await load.order(order);
  if (report.kind !== 'timed') throw new Error(`the load process answered ${report.kind}`);
  if (report.latenciesMs.length === 0) throw new Error('not one exchange was done in time');
  return report;
}

/** Of what {@link exchange} gives, which is never empty. */
function at(latenciesMs: readonly number[], share: number): number {
  return quantile(latenciesMs, share) ?? NaN;
}
