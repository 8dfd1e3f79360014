/** A token bucket: so many at once, and so many a second after that. Pure: its clock is the caller's. */

export interface Bucket {
  /** Takes one; false when none is left, which costs nothing. */
  take(): boolean;
  /** How much of it was used at most since the last call, 0 to 1. */
  peak(): number;
}

export interface BucketOptions {
  readonly perSecondMax: number;
  /** At once; a second's worth when absent. */
  readonly burstMax?: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

export function makeBucket({ perSecondMax, burstMax = perSecondMax, now }: BucketOptions): Bucket {
  let left = burstMax;
  let least = burstMax;
  let filledMs = now();

  function fill(): void {
    const nowMs = now();
    left = Math.min(burstMax, left + ((nowMs - filledMs) / 1_000) * perSecondMax);
    filledMs = nowMs;
  }

  return {
    take() {
      fill();
      const isThere = left >= 1;
      if (isThere) left -= 1;
      least = Math.min(least, left);
      return isThere;
    },
    peak() {
      fill();
      const used = 1 - Math.min(least, left) / burstMax;
      least = left;
      return used;
    },
  };
}
