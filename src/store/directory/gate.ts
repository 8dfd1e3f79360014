/** Lets a bounded number of tasks run at once; the others wait in their order. */
export interface Gate {
  run<T>(task: () => Promise<T>): Promise<T>;
}

export function makeGate(runningMax: number): Gate {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async run(task) {
      if (running >= runningMax) await new Promise<void>((resolve) => waiting.push(resolve));
      else running += 1;
      try {
        return await task();
      } finally {
        // Whoever waits takes this place over, so the count stays.
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}

/** Results in the order of the items. */
export function mapGated<T, R>(gate: Gate, items: readonly T[], task: (item: T) => Promise<R>): Promise<R[]> {
  return Promise.all(items.map((item) => gate.run(() => task(item))));
}
