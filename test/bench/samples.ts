/** What several systems were measured at, over rounds: medians, ratios and the cells of a table. Pure. */
import { median, rangeOf, ratio, significant } from './statistics.ts';

export interface KeyFacts {
  readonly unit: string;
  /** Digits after the point in the table. */
  readonly digits: number;
  readonly title: string;
}

/** What one system was measured at in one round. */
export type SampleOf<Key extends string> = Readonly<Partial<Record<Key, number>>>;

export interface Sampled<System extends string, Key extends string> {
  readonly samples: Readonly<Partial<Record<System, SampleOf<Key>>>>;
}

/** Of the yardstick of one round; beyond it the round is marked: others were at work on the machine. */
export const SPREAD_MAX = 0.15;

export function isNoisy(spread: number): boolean {
  return spread > SPREAD_MAX;
}

export function valuesOf<System extends string, Key extends string>(
  rounds: readonly Sampled<System, Key>[],
  system: System,
  key: Key,
): readonly number[] {
  return rounds.map(({ samples }) => samples[system]?.[key]).filter((value) => value !== undefined);
}

export function medianOf<System extends string, Key extends string>(
  rounds: readonly Sampled<System, Key>[],
  system: System,
  key: Key,
): number | undefined {
  return median(valuesOf(rounds, system, key));
}

/** Ours divided by theirs, medians both. */
export function ratioOf<Rival extends string, Key extends string>(
  rounds: readonly Sampled<Rival | 'ours', Key>[],
  rival: Rival,
  key: Key,
): number | undefined {
  return ratio(medianOf(rounds, 'ours', key), medianOf(rounds, rival, key));
}

/** What was not measured is not in it. */
export function toSample<Key extends string>(
  keys: readonly Key[],
  valueOf: (key: Key) => number | undefined,
): SampleOf<Key> {
  const present = keys
    .map((key) => [key, valueOf(key)] as const)
    .filter((entry): entry is readonly [Key, number] => entry[1] !== undefined);
  return Object.fromEntries(present.map(([key, value]) => [key, significant(value)])) as SampleOf<Key>;
}

/** The median, the range, and ours divided by it. */
export function formatCell(values: readonly number[], digits: number, against: number | undefined): string {
  const middle = median(values);
  const range = rangeOf(values);
  if (middle === undefined || range === undefined) return '-';
  const shown = `${middle.toFixed(digits)} [${range.least.toFixed(digits)}-${range.greatest.toFixed(digits)}]`;
  return against === undefined ? shown : `${shown} x${against.toFixed(2)}`;
}
