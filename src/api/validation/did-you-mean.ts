/** Finds the word that was meant. */
import { SUGGESTED_CHARS_MAX } from './limits.ts';

/** The candidate with the fewest slips (insert, delete, replace, swap neighbours; case is a quarter of one), if they are few. */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  if (word === '' || word.length > SUGGESTED_CHARS_MAX) return undefined;
  const slipsMax = Math.max(1, Math.floor(word.length / 3));
  let best: { readonly candidate: string; readonly slips: number } | undefined;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > slipsMax) continue;
    const slips = countSlips(word, candidate);
    if (slips <= slipsMax && (best === undefined || slips < best.slips)) best = { candidate, slips };
  }
  return best?.candidate;
}

/** `, did you mean "x"?`, or nothing. */
export function askWhether(candidate: string | undefined): string {
  return candidate === undefined ? '' : `, did you mean "${candidate}"?`;
}

/** Optimal string alignment distance: three rows of the table are enough. */
function countSlips(from: string, to: string): number {
  let before: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const [a = '', b = ''] = [from[row - 1], to[column - 1]];
      const replace = a === b ? 0 : a.toLowerCase() === b.toLowerCase() ? 0.25 : 1;
      const isSwap = row > 1 && column > 1 && a === to[column - 2] && from[row - 2] === b;
      current[column] = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + replace,
        isSwap ? (before[column - 2] ?? 0) + 1 : Infinity,
      );
    }
    [before, above] = [above, current];
  }
  return above[to.length] ?? 0;
}
