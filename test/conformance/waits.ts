/** The two kinds of wait that the suite knows: until something is so, and while something stays so. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, TestFailure, toMessage } from './outcome.ts';

export interface Clock {
  nowMs(): number;
  /** @throws Interrupted when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const REAL_CLOCK: Clock = {
  nowMs: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await sleep(ms, undefined, { signal });
    } catch {
      throw new Interrupted();
    }
  },
};

export interface Wait {
  /** What should be so, for the message: "the ServiceImport in east exists". */
  readonly what: string;
  readonly durationMs: number;
  readonly pollMs: number;
  readonly signal: AbortSignal;
  /** Given when the implementation breaks the API's contract by failing this. */
  readonly nonConformance?: string;
  readonly clock?: Clock;
}

/**
 * Looks until `check` no longer throws, and gives what it returns. It is asked once more at the deadline itself.
 * @throws TestFailure with the last thing that `check` threw; Interrupted.
 */
export async function eventually<T>(wait: Wait, check: () => Promise<T>): Promise<T> {
  const { what, durationMs, pollMs, signal, nonConformance = '', clock = REAL_CLOCK } = wait;
  const deadlineMs = clock.nowMs() + durationMs;
  for (;;) {
    if (signal.aborted) throw new Interrupted();
    try {
      return await check();
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const leftMs = deadlineMs - clock.nowMs();
      if (leftMs <= 0) {
        throw new TestFailure(
          `${what}: not so after ${durationMs / 1000} s; last: ${toMessage(error)}`,
          nonConformance,
        );
      }
      await clock.sleep(Math.min(pollMs, leftMs), signal);
    }
  }
}

/**
 * Looks for the whole duration, and fails as soon as `check` throws. Only a TestFailure of `check` speaks against the
 * implementation: a request that did not get through does not.
 * @throws TestFailure, Interrupted.
 */
export async function consistently(wait: Wait, check: () => Promise<void>): Promise<void> {
  const { what, durationMs, pollMs, signal, nonConformance = '', clock = REAL_CLOCK } = wait;
  const beginMs = clock.nowMs();
  for (;;) {
    if (signal.aborted) throw new Interrupted();
    try {
      await check();
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const afterMs = Math.round(clock.nowMs() - beginMs);
      const blame = error instanceof TestFailure ? nonConformance : '';
      throw new TestFailure(`${what}: not so after ${afterMs} ms: ${toMessage(error)}`, blame);
    }
    const leftMs = beginMs + durationMs - clock.nowMs();
    if (leftMs <= 0) return;
    await clock.sleep(Math.min(pollMs, leftMs), signal);
  }
}
