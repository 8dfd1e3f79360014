/** The rounds: every system at every measure, in an order of chance, so that what the machine does else falls on all alike. */
import { takeDirect, type Bench, type Measure } from './measures.ts';
import type { Sample, SystemName } from './keys.ts';
import { shuffle, spread } from '../statistics.ts';
import type { Pairs } from './pairs.ts';
import type { System } from './system.ts';

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
  readonly pairs: Pairs;
  readonly systems: readonly System[];
  readonly measures: readonly Measure[];
  readonly random: () => number;
  readonly tell: (text: string) => void;
}

export async function runRound(options: RoundOptions): Promise<Round> {
  const { round, bench, pairs, systems, measures, random, tell } = options;
  const samples: Partial<Record<SystemName, Sample>> = {};
  const failures: Failure[] = [];
  const directGbit: number[] = [];

  async function takeOne(measure: Measure, system: System): Promise<void> {
    try {
      const sample = await pairs.use({ system, measure }, (pair) => measure.take(bench, pair));
      samples[system.name] = { ...samples[system.name], ...sample };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      failures.push({ system: system.name, measure: measure.title, message });
      tell(`round ${round}: ${system.name}, ${measure.title}, FAILED: ${message}`);
    }
  }

  for (const measure of shuffle(measures, random)) {
    directGbit.push(await takeDirect(bench));
    for (const system of shuffle(systems, random)) await takeOne(measure, system);
    tell(`round ${round}: ${measure.title}: ${tellMeasure(measure, systems, samples)}`);
  }
  directGbit.push(await takeDirect(bench));
  return { round, directGbit, spread: spread(directGbit), samples, failures };
}

function tellMeasure({ keys }: Measure, systems: readonly System[], samples: Round['samples']): string {
  const values = systems.map(({ name }) => {
    const sample = samples[name] ?? {};
    return `${name} ${keys.map((key) => sample[key]?.toPrecision(3) ?? '-').join('/')}`;
  });
  return values.join(', ');
}
