/** The rounds: every system at every measure, in an order of chance, so that what the machine does else falls on all alike. */
import { takeDirect, warmUp, type Bench, type Measure, type Work } from './measures.ts';
import type { Sample, SystemName } from './keys.ts';
import { shuffle, spread } from '../statistics.ts';
import { startPair, type RunningPair, type System } from './system.ts';

export interface Round {
  readonly round: number;
  /** Gbit/s of iperf3 without a gateway, before each measure and after the last. */
  readonly directGbit: readonly number[];
  readonly spread: number;
  readonly samples: Readonly<Partial<Record<SystemName, Sample>>>;
  readonly failures: readonly Failure[];
}

export interface Failure {
  readonly system: SystemName;
  readonly measure: string;
  readonly message: string;
}

export interface RoundOptions {
  readonly round: number;
  readonly bench: Bench;
  readonly systems: readonly System[];
  readonly measures: readonly Measure[];
  readonly random: () => number;
  readonly tell: (text: string) => void;
}

export async function runRound(options: RoundOptions): Promise<Round> {
  const { round, bench, systems, measures, random, tell } = options;
  const samples: Partial<Record<SystemName, Sample>> = {};
  const failures: Failure[] = [];
  const unstartable = new Set<SystemName>();
  const directGbit: number[] = [];
  const pairs = new Map<SystemName, RunningPair>();
  const warmed = new WeakMap<RunningPair, Set<Work>>();

  function fail(system: System, measure: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    failures.push({ system: system.name, measure, message });
    tell(`round ${round}: ${system.name}, ${measure}, FAILED: ${message}`);
  }

  /** Undefined when it cannot be started: it is not tried again in this round, each try takes its whole deadline. */
  async function startOne(system: System): Promise<RunningPair | undefined> {
    if (unstartable.has(system.name)) return undefined;
    try {
      return await startPair(system, bench.stage);
    } catch (error) {
      unstartable.add(system.name);
      fail(system, 'start', error);
      return undefined;
    }
  }

  /** Once in the life of a pair for each kind of work. */
  async function prepare({ pair: state, work }: Measure, pair: RunningPair): Promise<void> {
    if (state === 'fresh') return;
    const done = warmed.get(pair) ?? new Set<Work>();
    warmed.set(pair, done);
    for (const each of work) {
      if (done.has(each)) continue;
      await warmUp(bench, pair, each);
      done.add(each);
    }
  }

  async function takeOne(measure: Measure, system: System): Promise<void> {
    const isKept = measure.pair === 'warm' && system.restless !== true;
    const pair = (isKept ? pairs.get(system.name) : undefined) ?? (await startOne(system));
    if (pair === undefined) return;
    if (isKept) pairs.set(system.name, pair);
    try {
      await prepare(measure, pair);
      samples[system.name] = { ...samples[system.name], ...(await measure.take(bench, pair)) };
    } catch (error) {
      fail(system, measure.title, error);
    } finally {
      if (!isKept) await pair.end();
    }
  }

  try {
    for (const measure of shuffle(measures, random)) {
      directGbit.push(await takeDirect(bench));
      for (const system of shuffle(systems, random)) await takeOne(measure, system);
      tell(`round ${round}: ${measure.title}: ${tellMeasure(measure, systems, samples)}`);
    }
    directGbit.push(await takeDirect(bench));
  } finally {
    await Promise.all([...pairs.values()].map((pair) => pair.end()));
  }
  return { round, directGbit, spread: spread(directGbit), samples, failures };
}

function tellMeasure({ keys }: Measure, systems: readonly System[], samples: Round['samples']): string {
  const values = systems.map(({ name }) => {
    const sample = samples[name] ?? {};
    return `${name} ${keys.map((key) => sample[key]?.toPrecision(3) ?? '-').join('/')}`;
  });
  return values.join(', ');
}
