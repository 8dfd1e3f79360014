/** The result: a table for people, and one JSON object. Pure. */
import { formatMarkdown } from '../markdown.ts';
import { formatCell, isNoisy, medianOf, ratioOf, SPREAD_MAX, toSample, valuesOf } from '../samples.ts';
import { rangeOf, significant } from '../statistics.ts';
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

/** Markdown: a row for each key, a column for each responder. A cell has the median, the range, and ours divided by it. */
export function formatTable({ rivals, rounds }: Pick<ReportInput, 'rivals' | 'rounds'>): string {
  const systems: readonly SystemName[] = ['ours', ...rivals];
  const rows = ALL_KEYS.map((key) => {
    const { title, unit } = KEYS[key];
    return [[title, unit].filter(Boolean).join(', '), ...systems.map((system) => cellOf(rounds, system, key))];
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

/** Ten times nothing is nothing: how many were lost is told as it is. */
function cellOf(rounds: readonly Round[], system: SystemName, key: Key): string {
  const { digits, unit } = KEYS[key];
  const against = system === 'ours' || unit === '' ? undefined : ratioOf(rounds, system, key);
  return formatCell(valuesOf(rounds, system, key), digits, against);
}

function roundAll(change: ChangeSample | undefined): Partial<ChangeSample> {
  return Object.fromEntries(Object.entries(change ?? {}).map(([key, value]) => [key, significant(value)]));
}
