/** The result: a table for people, and one JSON object. Pure. */
import {
  ABSOLUTE_KEYS,
  ALL_KEYS,
  KEYS,
  RATIO_KEYS,
  type Key,
  type RivalName,
  type Sample,
  type SystemName,
} from './keys.ts';
import type { Round } from './rounds.ts';
import { formatMarkdown } from '../markdown.ts';
import { formatCell, isNoisy, medianOf, ratioOf, SPREAD_MAX, toSample, valuesOf } from '../samples.ts';
import { rangeOf, significant } from '../statistics.ts';

export interface GatewayResult {
  readonly bench: 'gateway';
  /** Ours divided by the rival's, medians both. */
  readonly ratios: Readonly<Partial<Record<RivalName, Sample>>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly absolute: Sample;
  readonly rounds: readonly {
    readonly round: number;
    readonly direct_gbit: readonly number[];
    readonly direct_spread: number;
    readonly noisy: boolean;
    readonly samples: Readonly<Partial<Record<SystemName, Sample>>>;
  }[];
}

export interface ReportInput {
  readonly rivals: readonly RivalName[];
  readonly rounds: readonly Round[];
  readonly versions: Readonly<Record<string, string>>;
}

export function toResult({ rivals, rounds, versions }: ReportInput): GatewayResult {
  return {
    bench: 'gateway',
    ratios: Object.fromEntries(
      rivals.map((rival) => [rival, toSample(RATIO_KEYS, (key) => ratioOf(rounds, rival, key))]),
    ),
    versions,
    absolute: toSample(ABSOLUTE_KEYS, (key) => medianOf(rounds, 'ours', key)),
    rounds: rounds.map(({ round, directGbit, spread, samples }) => ({
      round,
      direct_gbit: directGbit.map((gbit) => significant(gbit)),
      direct_spread: significant(spread),
      noisy: isNoisy(spread),
      samples: Object.fromEntries(
        Object.entries(samples).map(([system, sample]) => [system, toSample(ALL_KEYS, (key) => sample[key])]),
      ),
    })),
  };
}

/** Markdown: a row for each key, a column for each system. A cell has the median, the range, and ours divided by it. */
export function formatTable({ rivals, rounds }: Omit<ReportInput, 'versions'>): string {
  const systems: readonly SystemName[] = ['ours', ...rivals];
  const rows = ALL_KEYS.filter((key) => systems.some((system) => valuesOf(rounds, system, key).length > 0)).map(
    (key) => [`${KEYS[key].title}, ${KEYS[key].unit}`, ...systems.map((system) => cellOf(rounds, system, key))],
  );
  return formatMarkdown([['', ...systems], ...rows]);
}

/** Which rounds to trust: a line each. */
export function formatRounds(rounds: readonly Round[]): string {
  return rounds
    .map(({ round, directGbit, spread }) => {
      const range = rangeOf(directGbit);
      const span = range === undefined ? '' : `${range.least.toFixed(1)} to ${range.greatest.toFixed(1)} Gbit/s`;
      const mark = isNoisy(spread) ? `  NOISY: more than ${SPREAD_MAX * 100} %` : '';
      return `round ${round}: direct iperf3 ${span}, spread ${(spread * 100).toFixed(0)} %${mark}`;
    })
    .join('\n');
}

function cellOf(rounds: readonly Round[], system: SystemName, key: Key): string {
  const against = system === 'ours' ? undefined : ratioOf(rounds, system, key);
  return formatCell(valuesOf(rounds, system, key), KEYS[key].digits, against);
}
