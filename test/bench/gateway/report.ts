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
import { median, rangeOf, ratio, significant } from '../statistics.ts';

/** Of the direct transfers of one round; beyond it the round is marked: others were at work on the machine. */
export const SPREAD_MAX = 0.15;

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
  const own = (key: Key): number | undefined => medianOf(rounds, 'ours', key);
  return {
    bench: 'gateway',
    ratios: Object.fromEntries(
      rivals.map((rival) => [rival, toSample(RATIO_KEYS, (key) => ratio(own(key), medianOf(rounds, rival, key)))]),
    ),
    versions,
    absolute: toSample(ABSOLUTE_KEYS, own),
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

export function isNoisy(spread: number): boolean {
  return spread > SPREAD_MAX;
}

/** Markdown: a row for each key, a column for each system. A cell has the median, the range, and ours divided by it. */
export function formatTable({ rivals, rounds }: Omit<ReportInput, 'versions'>): string {
  const systems: readonly SystemName[] = ['ours', ...rivals];
  const rows = ALL_KEYS.filter((key) => systems.some((system) => valuesOf(rounds, system, key).length > 0)).map(
    (key) => [`${KEYS[key].title}, ${KEYS[key].unit}`, ...systems.map((system) => formatCell(rounds, system, key))],
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

function formatCell(rounds: readonly Round[], system: SystemName, key: Key): string {
  const values = valuesOf(rounds, system, key);
  const middle = median(values);
  const range = rangeOf(values);
  if (middle === undefined || range === undefined) return '-';
  const { digits } = KEYS[key];
  const shown = `${middle.toFixed(digits)} [${range.least.toFixed(digits)}-${range.greatest.toFixed(digits)}]`;
  const against = system === 'ours' ? undefined : ratio(medianOf(rounds, 'ours', key), middle);
  return against === undefined ? shown : `${shown} x${against.toFixed(2)}`;
}

function valuesOf(rounds: readonly Round[], system: SystemName, key: Key): readonly number[] {
  return rounds.map(({ samples }) => samples[system]?.[key]).filter((value) => value !== undefined);
}

function medianOf(rounds: readonly Round[], system: SystemName, key: Key): number | undefined {
  return median(valuesOf(rounds, system, key));
}

/** What was not measured is not in it. */
function toSample(keys: readonly Key[], valueOf: (key: Key) => number | undefined): Sample {
  const present = keys
    .map((key) => [key, valueOf(key)] as const)
    .filter((entry): entry is readonly [Key, number] => entry[1] !== undefined);
  return Object.fromEntries(present.map(([key, value]) => [key, significant(value)]));
}
