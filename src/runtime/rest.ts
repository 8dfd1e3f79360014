/**
 * Spaces work that looks at everything each time: while changes keep coming, it rests a multiple of what it last took, so that it
 * has at most a known share of a core. A change that comes alone waits for the shortest time.
 */
import { systemClock, type Clock } from './clock.ts';
import { REST_MAX_MS, REST_PER_RUN } from './limits.ts';

export interface Rest {
  /** Runs the work and notes what it took. */
  time<T>(work: () => T): T;
  /** Milliseconds until it may run again, at least the shortest time. */
  delayMs(): number;
}

/**
 * @param minMs - changes that come together within it make one run.
 * @param maxMs - no rest is longer: what may not wait has less of it.
 */
export function makeRest({
  minMs,
  maxMs = REST_MAX_MS,
  clock = systemClock,
}: {
  readonly minMs: number;
  readonly maxMs?: number;
  readonly clock?: Pick<Clock, 'nowMs'>;
}): Rest {
  let untilMs = clock.nowMs();
  return {
    time(work) {
      const begunMs = clock.nowMs();
      try {
        return work();
      } finally {
        const endedMs = clock.nowMs();
        untilMs = endedMs + Math.min(maxMs, REST_PER_RUN * (endedMs - begunMs));
      }
    },
    delayMs: () => Math.max(minMs, untilMs - clock.nowMs()),
  };
}
