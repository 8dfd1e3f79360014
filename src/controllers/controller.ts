/** Runs reconcilers: keys in, one run a key at a time, retried with back-off; nothing runs before every cache is synced. */
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { makeWorkQueue, type WorkQueue } from '../runtime/queue.ts';
import { RECONCILE_TIMEOUT_MS, RESYNC_INTERVAL_MS } from './limits.ts';

/** The field manager of everything that controllers write; frozen, since it names ownership in stored objects. */
export const CONTROLLER_MANAGER = 'clusterlink-mcs-controller';

/** RFC 3339 with second precision, as an API server writes it. */
export function timestamp(clock: Pick<Clock, 'nowMs'>): string {
  return `${new Date(clock.nowMs()).toISOString().slice(0, 19)}Z`;
}

export type Enqueue = (key: string) => void;

export interface Controller {
  readonly name: string;
  /** Reads the present state of one key, computes what is desired, applies the difference. */
  reconcile(key: string, signal: AbortSignal): Promise<void>;
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
      concurrency: 1,
      timeoutMs: RECONCILE_TIMEOUT_MS,
      logger: logger.child({ component: 'controllers', controller: controller.name }),
      reconcile: async (key, signal) => {
        await controller.reconcile(key, signal);
        return undefined;
      },
      onResult: ({ ok, durationMs }) => onResult?.({ controller: controller.name, ok, durationMs }),
    });
    const stops = controller.watches((key) => queue.add(key));
    const timer = setInterval(() => controller.resync((key) => queue.add(key)), RESYNC_INTERVAL_MS);
    controller.resync((key) => queue.add(key));
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
