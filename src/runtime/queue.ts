/**
 * A work queue for level-driven reconcilers: it carries keys, never events, so that ten changes of one object are one run
 * that reads the present.
 *
 * ```
 *            add                 a worker is free               settled
 *   (none) -------> waiting ------------------------> running -----------> (none)
 *      ^                                                | add: again          |
 *      |            delayed <--- failed, or requeueAfter +---> waiting        |
 *      +----------------+------------------------------------------------------
 * ```
 */
import { AppError } from '../api/errors.ts';
import { systemClock, type Clock } from './clock.ts';
import { QUEUE_KEYS_MAX, RETRY_MAX_MS, RETRY_MIN_MS } from './limits.ts';
import type { Logger } from './log.ts';

export interface ReconcileOutcome {
  /** Look again after this time although nothing has changed. */
  readonly requeueAfterMs?: number;
}

export interface RunResult {
  readonly key: string;
  readonly ok: boolean;
  readonly durationMs: number;
}

export interface WorkQueueOptions {
  /**
   * Brings one key from whatever is to what should be. Throws an `AppError` for a failure: a retryable one is tried again
   * with back-off, another waits for the next `add`. Any other error is a defect, and is tried again.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileOutcome | undefined>;
  readonly concurrency: number;
  /** After it the run's signal is aborted; the key stays with its worker until the run has really ended. */
  readonly timeoutMs: number;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly backoff?: { readonly minMs?: number; readonly maxMs?: number };
  /** In [0, 1); tests set it. */
  readonly random?: () => number;
  readonly onResult?: (result: RunResult) => void;
}

export interface WorkQueue {
  /** Keys that wait or run. */
  readonly size: number;
  /** Runs the key soon, once, however often it is added before; a key that runs, runs again. False: full or closed. */
  add(key: string): boolean;
  /** The same after `ms`; of several delays of a key the soonest counts. */
  addAfter(key: string, ms: number): boolean;
  /** Resolves when no key waits or runs. Delayed keys do not count. */
  idle(): Promise<void>;
  /** Drops what waits, aborts what runs, and resolves when it has ended. */
  close(): Promise<void>;
}

interface Delay {
  readonly dueMs: number;
  readonly cancel: () => void;
}

export function makeWorkQueue(options: WorkQueueOptions): WorkQueue {
  const {
    reconcile,
    concurrency,
    timeoutMs,
    logger,
    clock = systemClock,
    backoff = {},
    random = Math.random,
  } = options;
  const { minMs = RETRY_MIN_MS, maxMs = RETRY_MAX_MS } = backoff;
  const waiting = new Set<string>();
  const running = new Map<string, AbortController>();
  /** Keys added while they ran. */
  const again = new Set<string>();
  const delays = new Map<string, Delay>();
  /** Failures in a row. */
  const failures = new Map<string, number>();
  const idlers = new Set<() => void>();
  let isClosed = false;
  let isFull = false;
  let isWoken = false;

  const isKnown = (key: string): boolean => waiting.has(key) || running.has(key) || delays.has(key);

  /** A key beyond the bound is dropped: the next resync brings it again. */
  function admits(key: string): boolean {
    if (isClosed) return false;
    const fits = isKnown(key) || waiting.size + running.size + delays.size < QUEUE_KEYS_MAX;
    if (!fits && !isFull) logger.error({ key, keysMax: QUEUE_KEYS_MAX }, 'Work queue was full');
    isFull = !fits;
    return fits;
  }

  function add(key: string): boolean {
    if (!admits(key)) return false;
    cancelDelay(key);
    if (running.has(key)) again.add(key);
    else {
      waiting.add(key);
      wake();
    }
    return true;
  }

  function addAfter(key: string, ms: number): boolean {
    if (!admits(key)) return false;
    const dueMs = clock.nowMs() + ms;
    const present = delays.get(key);
    if (present !== undefined && present.dueMs <= dueMs) return true;
    cancelDelay(key);
    const cancel = clock.after(ms, () => {
      delays.delete(key);
      add(key);
    });
    delays.set(key, { dueMs, cancel });
    return true;
  }

  function cancelDelay(key: string): void {
    delays.get(key)?.cancel();
    delays.delete(key);
  }

  /** On a later turn: adds of one turn are one run, and whoever adds is never called back from inside. */
  function wake(): void {
    if (isWoken) return;
    isWoken = true;
    queueMicrotask(startWorkers);
  }

  function startWorkers(): void {
    isWoken = false;
    for (const key of waiting) {
      if (running.size >= concurrency) return;
      waiting.delete(key);
      const abort = new AbortController();
      running.set(key, abort);
      void run(key, abort);
    }
  }

  async function run(key: string, abort: AbortController): Promise<void> {
    const startMs = clock.nowMs();
    const stopTimer = clock.after(timeoutMs, () => {
      abort.abort(new AppError('ERR_TIMEOUT', `reconcile ${key}: not done in ${timeoutMs} ms`, { retryable: true }));
    });
    let failure: unknown;
    let outcome: ReconcileOutcome | undefined;
    try {
      outcome = await reconcile(key, abort.signal);
    } catch (error) {
      // What a run throws once it was told to stop is the echo of that.
      failure = abort.signal.aborted ? abort.signal.reason : (error ?? new Error('reconcile threw nothing'));
    }
    stopTimer();
    running.delete(key);
    settle(key, failure, outcome);
    options.onResult?.({ key, ok: failure === undefined, durationMs: clock.nowMs() - startMs });
    startWorkers();
    if (waiting.size + running.size === 0) idlers.forEach((resolve) => resolve());
  }

  function settle(key: string, failure: unknown, outcome: ReconcileOutcome | undefined): void {
    const isAddedAgain = again.delete(key);
    if (isClosed) return;
    const isRetried = failure !== undefined && !(failure instanceof AppError && !failure.retryable);
    const count = isRetried ? (failures.get(key) ?? 0) + 1 : 0;
    if (count > 0) failures.set(key, count);
    else failures.delete(key);
    if (failure !== undefined) logFailure({ key, failure, isRetried, count });

    if (isAddedAgain) waiting.add(key);
    else if (isRetried) {
      if (!addAfter(key, backoffMs(count))) failures.delete(key);
    } else if (outcome?.requeueAfterMs !== undefined) addAfter(key, outcome.requeueAfterMs);
  }

  function logFailure(input: { key: string; failure: unknown; isRetried: boolean; count: number }): void {
    const { key, failure, isRetried, count } = input;
    const code = failure instanceof AppError ? failure.code : 'UNEXPECTED';
    const fields = { key, code, failures: count, err: failure };
    if (!isRetried) logger.error(fields, 'Reconcile failed until something changes');
    else if (failure instanceof AppError) logger.warn(fields, 'Reconcile failed and will be retried');
    else logger.error(fields, 'Reconcile failed by a defect and will be retried');
  }

  /** Doubles up to the cap, less up to a half by chance, so that keys that failed together do not return together. */
  function backoffMs(count: number): number {
    return Math.min(maxMs, minMs * 2 ** Math.min(count - 1, 30)) * (0.5 + random() / 2);
  }

  function idle(): Promise<void> {
    if (waiting.size + running.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        idlers.delete(done);
        resolve();
      };
      idlers.add(done);
    });
  }

  return {
    get size() {
      return waiting.size + running.size;
    },
    add,
    addAfter,
    idle,
    async close() {
      isClosed = true;
      waiting.clear();
      for (const key of [...delays.keys()]) cancelDelay(key);
      const reason = new AppError('ERR_TIMEOUT', 'reconcile: the queue was closed', { retryable: true });
      for (const abort of running.values()) abort.abort(reason);
      await idle();
    },
  };
}
