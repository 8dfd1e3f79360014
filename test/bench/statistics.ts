/** Arithmetic of the benchmark. Pure. */

/** Undefined of nothing. */
export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
}

/** The nearest rank: a value that was measured, never one between two. `share` from 0 to 1; undefined of nothing. */
export function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))];
}

export interface Range {
  readonly least: number;
  readonly greatest: number;
}

export function rangeOf(values: readonly number[]): Range | undefined {
  if (values.length === 0) return undefined;
  return { least: Math.min(...values), greatest: Math.max(...values) };
}

/** Greatest less least, as a share of the median. 0 of fewer than two. */
export function spread(values: readonly number[]): number {
  const range = rangeOf(values);
  const middle = median(values);
  if (range === undefined || middle === undefined || range.least === range.greatest) return 0;
  return middle === 0 ? Infinity : (range.greatest - range.least) / middle;
}

/** Ours divided by the rival's; undefined where either is missing or there is nothing to divide by. */
export function ratio(ours: number | undefined, rivals: number | undefined): number | undefined {
  if (ours === undefined || rivals === undefined || rivals <= 0 || !Number.isFinite(ours)) return undefined;
  return ours / rivals;
}

/** Rounds to significant digits: numbers in a result have no more than they deserve. */
export function significant(value: number, digits = 4): number {
  return Number(value.toPrecision(digits));
}

/**
 * All of them in an order of chance (Fisher and Yates).
 *
 * @param random - at least 0 and less than 1, as Math.random gives.
 */
export function shuffle<T>(values: readonly T[], random: () => number): readonly T[] {
  const shuffled = [...values];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
  }
  return shuffled;
}
