/** Waits on a condition, with a deadline. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../api/errors.ts';

const POLL_MS = 50;

/** Polls until the answer is neither false nor undefined; a failure of the check counts as "not yet" until the deadline. */
export async function until<T>(what: string, timeoutMs: number, check: () => Promise<T>): Promise<NonNullable<T>> {
  const deadlineMs = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await check();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadlineMs) {
      const detail = cause instanceof Error ? ` (${cause.message})` : '';
      throw new AppError('ERR_TIMEOUT', `after ${timeoutMs} ms it is still not so that ${what}${detail}`, { cause });
    }
    await sleep(POLL_MS);
  }
}
