/** A phase of a benchmark that hangs must end it. */

/** @throws {Error} that names the phase, when it has not ended in time; what it has started is the caller's to end. */
export async function within<T>(what: string, timeoutMs: number, phase: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not done after ${timeoutMs / 1_000} s`)), timeoutMs);
  });
  try {
    return await Promise.race([phase, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
