/** The rounds: every responder at every measure, in an order of chance, so that what the machine does else falls on all alike. */
import { shuffle, spread } from '../statistics.ts';
import type { Sample, SystemName } from './keys.ts';
import { MEASURES, takeYardstick, type Bench, type Measure, type Running } from './measures.ts';

export interface Round {
  readonly round: number;
  /** Queries a second of the echo, before each sample and after the last. */
  readonly echoQps: readonly number[];
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
  readonly running: readonly Running[];
  /** Measured beside them, whether it is one of them or not. */
  readonly echo: Running;
  readonly random: () => number;
  readonly tell: (text: string) => void;
}

export async function runRound({ round, bench, running, echo, random, tell }: RoundOptions): Promise<Round> {
  const samples: Partial<Record<SystemName, Sample>> = {};
  const failures: Failure[] = [];
  const echoQps: number[] = [];

  async function takeOne(measure: Measure, one: Running): Promise<void> {
    const { name } = one.system;
    try {
      samples[name] = { ...samples[name], ...(await measure.take(bench, one)) };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      failures.push({ system: name, measure: measure.title, message });
      tell(`round ${round}: ${name}, ${measure.title}, FAILED: ${message}`);
    }
  }

  for (const measure of shuffle(MEASURES, random)) {
    for (const one of shuffle(running, random)) {
      echoQps.push(await takeYardstick(bench, echo));
      await takeOne(measure, one);
    }
    tell(`round ${round}: ${measure.title}: ${tellMeasure(measure, running, samples)}`);
  }
  echoQps.push(await takeYardstick(bench, echo));
  return { round, echoQps, spread: spread(echoQps), samples, failures };
}

function tellMeasure({ keys }: Measure, running: readonly Running[], samples: Round['samples']): string {
  const values = running.map(({ system: { name } }) => {
    const sample = samples[name] ?? {};
    return `${name} ${keys.map((key) => sample[key]?.toPrecision(3) ?? '-').join('/')}`;
  });
  return values.join(', ');
}
