/** Runs a task for each item, a bounded number at a time; one that fails does not hold up the others. */

export interface ConcurrentOptions {
  readonly concurrency: number;
  /** When it is aborted, what has not begun does not begin. */
  readonly signal: AbortSignal;
}

/**
 * Resolves to the errors of the tasks, in the order in which they came.
 *
 * @throws the signal's reason, after the tasks that had begun.
 */
export async function runConcurrently<T>(
  items: Iterable<T>,
  task: (item: T) => Promise<void>,
  { concurrency, signal }: ConcurrentOptions,
): Promise<unknown[]> {
  const iterator = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    while (!signal.aborted) {
      const next = iterator.next();
      if (next.done === true) return;
      await task(next.value).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  signal.throwIfAborted();
  return failures;
}
