/** Runs tasks of one key one after the other, tasks of different keys side by side. */
import { AppError } from '../api/errors.ts';

export interface SerialQueue {
  /** @throws {AppError} `ERR_BOUND_EXCEEDED` (retryable) when too many tasks wait already. */
  run<T>(key: string, task: () => Promise<T>): Promise<T>;
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>;
}

export function makeSerialQueue({ pendingMax }: { readonly pendingMax: number }): SerialQueue {
  const tails = new Map<string, Promise<void>>();
  let pending = 0;

  async function run<T>(key: string, task: () => Promise<T>): Promise<T> {
    if (pending >= pendingMax) {
      throw new AppError('ERR_BOUND_EXCEEDED', `store: ${pending} writes are waiting`, {
        retryable: true,
        fix: 'Look whether the disk of the state folder is slow or full; the write will be tried again.',
      });
    }
    pending += 1;
    const before = tails.get(key) ?? Promise.resolve();
    const result = before.then(task);
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    tails.set(key, tail);
    try {
      return await result;
    } finally {
      pending -= 1;
      if (tails.get(key) === tail) tails.delete(key);
    }
  }

  async function idle(): Promise<void> {
    while (tails.size > 0) await Promise.all(tails.values());
  }

  return { run, idle };
}
