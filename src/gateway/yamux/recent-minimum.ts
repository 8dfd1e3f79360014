/** The least of what was measured of late. Pure: its clock is the caller's. */

export interface RecentMinimum {
  add(value: number, nowMs: number): void;
  /** Of the last one to two spans in which anything was measured; undefined before the first. */
  readonly value: number | undefined;
}

export function makeRecentMinimum(spanMs: number): RecentMinimum {
  let spanBeganMs = -Infinity;
  let before = Infinity;
  let within = Infinity;
  return {
    add(value, nowMs) {
      if (nowMs - spanBeganMs >= spanMs) {
        spanBeganMs = nowMs;
        before = within;
        within = Infinity;
      }
      within = Math.min(within, value);
    },
    get value() {
      const least = Math.min(before, within);
      return least === Infinity ? undefined : least;
    },
  };
}
