/**
 * By how much this process came too late to what it had to do. Where a test waits for what happens in its own process, a machine
 * that holds it up holds up both: that much of the wait is nobody's.
 */
export interface Lateness extends Disposable {
  /** Since it is measured. */
  readonly lateMs: number;
}

const SAMPLE_MS = 20;
/** What an event loop that has something to do may take. */
const LATE_FROM_MS = 50;

export function measureLateness(): Lateness {
  let [sumMs, dueMs] = [0, performance.now() + SAMPLE_MS];
  /** Of a sample that is still due as well: who asks may be the first to run after a stall. */
  const soFarMs = (): number => sumMs + Math.max(0, performance.now() - dueMs - LATE_FROM_MS);
  const timer = setInterval(() => {
    sumMs = soFarMs();
    dueMs = performance.now() + SAMPLE_MS;
  }, SAMPLE_MS);
  return {
    get lateMs() {
      return soFarMs();
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
