/** The result: a table for people, and one JSON object. Pure. */
import { formatMarkdown } from '../markdown.ts';
import { median, rangeOf, ratio, significant } from '../statistics.ts';
import {
  ALL_KEYS,
  CHANGE_KEYS,
  CHANGE_TARGETS,
  isReached,
  KEYS,
  RATIO_KEYS,
  RATIO_TARGETS,
  type Bound,
  type ChangeKey,
  type ChangeSample,
  type Key,
  type RivalName,
  type Sample,
  type SystemName,
} from './keys.ts';
import type { Round } from './rounds.ts';

/** Of the echo in one round; beyond it the round is marked: others were at work on the machine. */
export const SPREAD_MAX = 0.15;

export interface DnsResult {
  readonly bench: 'dns';
  /** Ours divided by the rival's, medians both. */
  readonly ratios: Readonly<Partial<Record<RivalName, Sample>>>;
  /** Ours; what a change was measured at too. */
  readonly absolute: Sample & Partial<ChangeSample>;
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: readonly {
    readonly round: number;
    readonly echo_qps: readonly number[];
    readonly echo_spread: number;
    readonly noisy: boolean;
    readonly samples: Readonly<Partial<Record<SystemName, Sample>>>;
  }[];
}

export interface ReportInput {
  readonly rivals: readonly RivalName[];
  readonly rounds: readonly Round[];
  readonly change: ChangeSample | undefined;
  readonly versions: Readonly<Record<string, string>>;
}

export function toResult({ rivals, rounds, change, versions }: ReportInput): DnsResult {
  const ratios = rivals.map((rival) => [rival, toSample(RATIO_KEYS, (key) => ratioOf(rounds, rival, key))] as const);
  return {
    bench: 'dns',
    ratios: Object.fromEntries(ratios),
    absolute: { ...toSample(ALL_KEYS, (key) => medianOf(rounds, 'ours', key)), ...roundAll(change) },
    versions,
    rounds: rounds.map(({ round, echoQps, spread, samples }) => ({
      round,
      echo_qps: echoQps.map((qps) => significant(qps)),
      echo_spread: significant(spread),
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

/** Markdown: a row for each key, a column for each responder. A cell has the median, the range, and ours divided by it. */
export function formatTable({ rivals, rounds }: Pick<ReportInput, 'rivals' | 'rounds'>): string {
  const systems: readonly SystemName[] = ['ours', ...rivals];
  const rows = ALL_KEYS.map((key) => {
    const { title, unit } = KEYS[key];
    return [[title, unit].filter(Boolean).join(', '), ...systems.map((system) => formatCell(rounds, system, key))];
  });
  return formatMarkdown([['', ...systems], ...rows]);
}

/** A line for each. */
export function formatChange(change: ChangeSample): string {
  return (Object.keys(CHANGE_KEYS) as readonly ChangeKey[])
    .map((key) => `${key}: ${change[key].toFixed(2)} ms (${CHANGE_KEYS[key]})`)
    .join('\n');
}

/** Which targets are reached: a line for each that could be measured. */
export function formatTargets({ rivals, rounds, change }: Omit<ReportInput, 'versions'>): string {
  const ofRivals = RATIO_TARGETS.filter(({ rival }) => rivals.includes(rival)).map(({ rival, key, bound }) =>
    formatTarget(`${key} against ${rival}`, ratioOf(rounds, rival, key), bound),
  );
  const ofChange = CHANGE_TARGETS.map(({ key, bound }) => formatTarget(key, change?.[key], bound));
  return [...ofRivals, ...(change === undefined ? [] : ofChange)].join('\n');
}

/** Which rounds to trust: a line each. */
export function formatRounds(rounds: readonly Round[]): string {
  return rounds
    .map(({ round, echoQps, spread }) => {
      const range = rangeOf(echoQps);
      const span = range === undefined ? '' : `${range.least.toFixed(0)} to ${range.greatest.toFixed(0)} a second`;
      const mark = isNoisy(spread) ? `  NOISY: more than ${SPREAD_MAX * 100} %` : '';
      return `round ${round}: echo ${span}, spread ${(spread * 100).toFixed(0)} %${mark}`;
    })
    .join('\n');
}

function formatTarget(what: string, value: number | undefined, bound: Bound): string {
  const wanted = 'atLeast' in bound ? `>= ${bound.atLeast}` : `<= ${bound.atMost}`;
  if (value === undefined) return `${what}: not measured (${wanted})`;
  return `${what}: ${value.toFixed(2)} (${wanted}) ${isReached(value, bound) ? 'reached' : 'NOT REACHED'}`;
}

function formatCell(rounds: readonly Round[], system: SystemName, key: Key): string {
  const values = valuesOf(rounds, system, key);
  const middle = median(values);
  const range = rangeOf(values);
  if (middle === undefined || range === undefined) return '-';
  const { digits, unit } = KEYS[key];
  const shown = `${middle.toFixed(digits)} [${range.least.toFixed(digits)}-${range.greatest.toFixed(digits)}]`;
  // Ten times nothing is nothing: how many were lost is told as it is.
  const against = system === 'ours' || unit === '' ? undefined : ratioOf(rounds, system, key);
  return against === undefined ? shown : `${shown} x${against.toFixed(2)}`;
}

function ratioOf(rounds: readonly Round[], rival: RivalName, key: Key): number | undefined {
  return ratio(medianOf(rounds, 'ours', key), medianOf(rounds, rival, key));
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

function roundAll(change: ChangeSample | undefined): Partial<ChangeSample> {
  return Object.fromEntries(Object.entries(change ?? {}).map(([key, value]) => [key, significant(value)]));
}
