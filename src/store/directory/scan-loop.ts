/** Runs scans one after the other, when they are due: after a hint, after a while, whatever comes first. */
export interface ScanLoop {
  /** A scan will start within this time; earlier requests stay in force, later ones change nothing. */
  request(delayMs: number): void;
  /** Resolves when no scan runs and none will. */
  close(): Promise<void>;
}

/**
 * Requests do not push a scan back, so constant hints cannot starve it; they bunch up instead.
 *
 * @param scan - must not reject; gives the time in milliseconds until the next scan.
 */
export function makeScanLoop(scan: () => Promise<number>): ScanLoop {
  let dueAtMs = Infinity;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let isClosed = false;

  function request(delayMs: number): void {
    const atMs = performance.now() + delayMs;
    if (isClosed || atMs >= dueAtMs) return;
    dueAtMs = atMs;
    arm();
  }

  function arm(): void {
    if (running !== undefined || isClosed || dueAtMs === Infinity) return;
    clearTimeout(timer);
    timer = setTimeout(start, Math.max(0, dueAtMs - performance.now()));
  }

  function start(): void {
    dueAtMs = Infinity;
    running = scan()
      .then(request)
      .finally(() => {
        running = undefined;
        arm();
      });
  }

  return {
    request,
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
