/**
 * How long a worker may owe its word: pure, with a clock given. A main process that was stopped, or had no processor, must not take
 * that for the worker's time: of the time between two looks only so much counts.
 */
import { WORKER_ACKNOWLEDGE_TIMEOUT_MS, WORKER_LOOK_MS, WORKER_START_TIMEOUT_MS } from './limits.ts';

export interface Watchdog {
  /** A snapshot is on its way to the worker. */
  sent(version: number): void;
  /** To be called every {@link WORKER_LOOK_MS}. Says what the worker has failed to do in time. */
  look(worker: { readonly isServing: boolean; readonly acknowledged: number }): string | undefined;
}

export function makeWatchdog({ nowMs }: { nowMs(): number }): Watchdog {
  /** By version: for how long it has been owed. Each is denied something for as long that others are denied. */
  const owedMs = new Map<number, number>();
  let lookedMs = nowMs();
  let startingMs = 0;
  return {
    sent: (version) => void owedMs.set(version, 0),
    look({ isServing, acknowledged }) {
      const passedMs = Math.min(nowMs() - lookedMs, 2 * WORKER_LOOK_MS);
      lookedMs = nowMs();
      for (const [version, ms] of owedMs) {
        if (version <= acknowledged) owedMs.delete(version);
        else owedMs.set(version, isServing ? ms + passedMs : ms);
      }
      if (!isServing) {
        startingMs += passedMs;
        return startingMs > WORKER_START_TIMEOUT_MS ? `has not served in ${WORKER_START_TIMEOUT_MS} ms` : undefined;
      }
      const longestMs = Math.max(0, ...owedMs.values());
      if (longestMs < WORKER_ACKNOWLEDGE_TIMEOUT_MS) return undefined;
      return `has not acknowledged a snapshot in ${WORKER_ACKNOWLEDGE_TIMEOUT_MS} ms`;
    },
  };
}
