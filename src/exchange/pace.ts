/** Spaces what is done for one key: a peer that talks fast must not make the API server write as fast. */
import { systemClock, type Clock } from '../runtime/clock.ts';

export interface PaceOptions {
  /** In the long run one turn in this time. */
  readonly intervalMs: number;
  /** Turns that a key may have at once after it was quiet. */
  readonly burst: number;
  /** Monotonic. */
  readonly clock?: Pick<Clock, 'nowMs'>;
}

export interface Pace {
  /** Milliseconds to wait before the next turn of this key; 0: it may go now, and this counts as its turn. */
  take(key: string): number;
  /** Counts turns that were taken already: milliseconds to wait before the next one. */
  spend(key: string, turns: number): number;
  forget(key: string): void;
}

export function makePace({ intervalMs, burst, clock = systemClock }: PaceOptions): Pace {
  /** When all turns of a key are paid for, as one turn pays for itself in one interval. */
  const paidMs = new Map<string, number>();
  return {
    take(key) {
      const nowMs = clock.nowMs();
      const fromMs = Math.max(nowMs, paidMs.get(key) ?? nowMs);
      const restMs = fromMs - nowMs - (burst - 1) * intervalMs;
      if (restMs > 0) return restMs;
      paidMs.set(key, fromMs + intervalMs);
      return 0;
    },
    spend(key, turns) {
      const nowMs = clock.nowMs();
      const untilMs = Math.max(nowMs, paidMs.get(key) ?? nowMs) + turns * intervalMs;
      paidMs.set(key, untilMs);
      return Math.max(0, untilMs - nowMs - burst * intervalMs);
    },
    forget: (key) => void paidMs.delete(key),
  };
}
