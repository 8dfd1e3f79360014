/**
 * `npm run bench -- guard [--limit 2] [--rounds 3]`: our CPU for each byte beside that of `pipe()`, in about a minute, for CI: exit
 * code 1 when a change has made bytes dear. Both pairs carry bytes at the same time, so that what the machine does else falls on both
 * alike. The targets are `npm run bench -- gateway`'s to show.
 */
import { version } from '#src/cli/version.ts';
import { freePort } from '#test/support/standalone.ts';
import { makeFlags, positiveNumber, readFlags, wholeNumber } from '../flags.ts';
import { doWork, takeBulk, type Bench } from './measures.ts';
import { makeOurs } from './ours.ts';
import { pipe } from './pipe.ts';
import { LOOPBACK } from './places.ts';
import { openStage, type OpenStage } from './stage.ts';
import { median, significant } from '../statistics.ts';
import { startPair, type RunningPair, type Stage, type System } from './system.ts';

/** One transfer takes two seconds; three each way before are enough for V8 to compile what carries bytes. The others are not measured. */
const BENCH = { seconds: 2, warmUpTurns: 1, pacedSeconds: 1, idleTunnels: 1 } as const;
const WARM_UP_SECONDS = 3;
/** A machine that was taken away for a second says nothing of us. Each try has gateways of its own. */
const TRIES = 2;
const ROUNDS_MAX = 20;
const LIMIT_MAX = 1_000;
const WAYS = ['forward', 'back'] as const;

export interface GuardOptions {
  /** Ours divided by `pipe`'s, at most. */
  readonly limit: number;
  readonly rounds: number;
}

interface Side {
  readonly pair: RunningPair;
  readonly bench: Bench;
}

/** @throws {AppError} `ERR_USAGE` */
export async function main(args: readonly string[]): Promise<number> {
  return guard(parseGuardOptions(args));
}

async function guard({ limit, rounds }: GuardOptions): Promise<number> {
  await using opened = await openStage(console.error);
  const tries: (readonly number[])[] = [];
  let isWithin = false;
  while (!isWithin && tries.length < TRIES) {
    const ratios = await takeRatios(opened, rounds).catch((error: unknown) => {
      console.error(`not measured: ${error instanceof Error ? error.message : String(error)}`);
      return [];
    });
    tries.push(ratios.map((each) => significant(each)));
    isWithin = (median(ratios) ?? Infinity) <= limit;
    console.error(`CPU for each byte, ours / pipe: ${ratios.map((each) => each.toFixed(2)).join(', ')}`);
  }
  console.log(JSON.stringify({ bench: 'guard', ratio: median(tries.at(-1) ?? []), limit, tries }));
  return isWithin ? 0 : 1;
}

/** Of two pairs that have just been started. */
async function takeRatios({ stage, load, program }: OpenStage, rounds: number): Promise<readonly number[]> {
  await using pairs = new AsyncDisposableStack();
  const start = async (system: System, own: Stage): Promise<Side> => {
    const pair = await startPair(system, own);
    pairs.defer(() => pair.end());
    return { pair, bench: { stage: own, load, ...BENCH } };
  };
  // One server of iperf3 serves one client: each has its own.
  const iperf3 = { host: LOOPBACK, port: await freePort() };
  const ours = await start(await makeOurs({ program, version, workers: 0 }), stage);
  const theirs = await start(pipe, { ...stage, services: { ...stage.services, iperf3 } });
  for (const work of WAYS) {
    const carry = { work, streams: 1, seconds: WARM_UP_SECONDS };
    await Promise.all([ours, theirs].map(({ bench, pair }) => doWork(bench, pair, carry)));
  }
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) ratios.push(await takeRatio(ours, theirs));
  return ratios;
}

/** Of one round: both ways together, so that one number decides. */
async function takeRatio(ours: Side, theirs: Side): Promise<number> {
  const sums = [0, 0] as [number, number];
  for (const way of WAYS) {
    const costs = await Promise.all([cpuOf(ours, way), cpuOf(theirs, way)]);
    sums[0] += costs[0];
    sums[1] += costs[1];
  }
  return sums[0] / sums[1];
}

/** Seconds for 10^9 bytes. */
async function cpuOf({ bench, pair }: Side, way: (typeof WAYS)[number]): Promise<number> {
  return (await takeBulk(bench, pair, { way, streams: 1 })).cpu;
}

/** @throws {AppError} `ERR_USAGE`. `--help` throws as {@link readFlags} says. */
export function parseGuardOptions(args: readonly string[]): GuardOptions {
  const flags = makeFlags('guard', 'Fails when our CPU for each byte, divided by that of `pipe()`, is above a limit.')
    .option('--limit <ratio>', 'the median of the rounds at most', positiveNumber(LIMIT_MAX), 2)
    .option('--rounds <n>', 'rounds, forward and back', wholeNumber(ROUNDS_MAX), 3);
  return readFlags(flags, args);
}
