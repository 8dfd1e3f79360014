/** Runs reconcilers: keys in, one run a key at a time, retried with back-off; nothing runs before every cache is synced. */
import { AppError } from '../api/errors.ts';
import { toTimestamp } from '../api/timestamp.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { makeWorkQueue, type ReconcileOutcome, type WorkQueue } from '../runtime/queue.ts';
import { FORBIDDEN_RETRY_MS, RECONCILE_TIMEOUT_MS, RESYNC_INTERVAL_MS } from './limits.ts';

/** The field manager of everything that controllers write; frozen, since it names ownership in stored objects. */
export const CONTROLLER_MANAGER = 'clusterlink-mcs-controller';

/** RFC 3339 with second precision, as an API server writes it. */
export function timestamp(clock: Pick<Clock, 'nowMs'>): string {
  return toTimestamp(clock.nowMs());
}

/** Runs the key soon, or after `delayMs`, so that what comes together is one run. */
export type Enqueue = (key: string, delayMs?: number) => void;

export interface Controller {
  readonly name: string;
  /** How many keys may run at the same time; one of its own if it is not said. */
  readonly concurrency?: number;
  /** Reads the present state of one key, computes what is desired, applies the difference. May ask to look again later. */
  reconcile(key: string, signal: AbortSignal): Promise<ReconcileOutcome | void>;
  /** Maps changes of objects to keys; the results stop the watching. */
  watches(enqueue: Enqueue): readonly (() => void)[];
  /** Enqueues every key there is: at the start, and from time to time so that whatever was missed heals. */
  resync(enqueue: Enqueue): void;
}

export interface ReconcileResult {
  readonly controller: string;
  readonly ok: boolean;
  readonly durationMs: number;
}

export interface RunningControllers {
  /** Resolves when no key is waiting or running. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** Starts controllers whose caches are synced. */
export function runControllers(
  controllers: readonly Controller[],
  { logger, onResult }: { readonly logger: Logger; onResult?(result: ReconcileResult): void },
): RunningControllers {
  const running = controllers.map((controller) => {
    const queue: WorkQueue = makeWorkQueue({
      concurrency: controller.concurrency ?? 1,
      timeoutMs: RECONCILE_TIMEOUT_MS,
      logger: logger.child({ component: 'controllers', controller: controller.name }),
      reconcile: async (key, signal) => {
        try {
          return (await controller.reconcile(key, signal)) ?? undefined;
        } catch (error) {
          // Nobody is told when a right is given.
          if (error instanceof AppError && error.code === 'ERR_FORBIDDEN') queue.addAfter(key, FORBIDDEN_RETRY_MS);
          throw error;
        }
      },
      onResult: ({ ok, durationMs }) => onResult?.({ controller: controller.name, ok, durationMs }),
    });
    const enqueue: Enqueue = (key, delayMs = 0) => void (delayMs > 0 ? queue.addAfter(key, delayMs) : queue.add(key));
    const stops = controller.watches(enqueue);
    const timer = setInterval(() => controller.resync(enqueue), RESYNC_INTERVAL_MS);
    controller.resync(enqueue);
    return { queue, stops, timer };
  });
  return {
    async idle() {
      await Promise.all(running.map(({ queue }) => queue.idle()));
    },
    async close() {
      for (const { stops, timer } of running) {
        clearInterval(timer);
        stops.forEach((stop) => stop());
      }
      await Promise.all(running.map(({ queue }) => queue.close()));
    },
  };
}
