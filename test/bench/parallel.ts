/** Many small tasks, a few at a time: an API server that is asked for one after the other mostly waits. */

const PARALLEL = 16;

/** Rejects with the first failure. */
export async function inParallel(count: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}
