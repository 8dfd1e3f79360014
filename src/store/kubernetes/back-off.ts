/** How long to wait before the next try: exponential, with full jitter, so that many that failed together do not return together. */
import { RELIST_MAX_MS, RELIST_MIN_MS } from './limits.ts';

export interface BackOff {
  /** The wait before the next try; grows with every call until {@link BackOff.reset}. */
  nextMs(): number;
  reset(): void;
  readonly failures: number;
}

export function makeBackOff(random: () => number): BackOff {
  let failures = 0;
  return {
    nextMs() {
      const ceilingMs = Math.min(RELIST_MAX_MS, RELIST_MIN_MS * 2 ** Math.min(failures, 16));
      failures += 1;
      return random() * ceilingMs;
    },
    reset: () => (failures = 0),
    get failures() {
      return failures;
    },
  };
}
