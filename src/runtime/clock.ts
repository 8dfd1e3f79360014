/** Time as a dependency, so that tests drive it. */

export interface Clock {
  /** Milliseconds since some fixed moment. */
  nowMs(): number;
  /** Calls back once after `ms`; the result cancels. */
  after(ms: number, callback: () => void): () => void;
}

/** Never goes back: for durations and deadlines. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Milliseconds since 1970: for what is written down. Follows the machine's idea of the time, so it may jump. */
export const wallClock: Clock = { nowMs: () => Date.now(), after: systemClock.after };
