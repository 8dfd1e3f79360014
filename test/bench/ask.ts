/** One order to a process with a channel, and its report. */
import { once } from 'node:events';
import type { Started } from './processes.ts';

export interface AskOptions {
  /** Sent as it is; absent: the process reports by itself. */
  readonly order?: object;
  readonly timeoutMs: number;
}

/** @throws {Error} with the process' log when it ends first, or when there was no report in time. */
export async function ask<Report>(
  { child, logTail }: Pick<Started, 'child' | 'logTail'>,
  { order, timeoutMs }: AskOptions,
): Promise<Report> {
  const over = new AbortController();
  const ended = once(child, 'exit', { signal: over.signal }).then(() => {
    throw new Error(`the process has ended:\n${logTail()}`);
  });
  const answered = once(child, 'message', { signal: AbortSignal.timeout(timeoutMs) });
  if (order !== undefined) child.send(order);
  try {
    const [report] = (await Promise.race([answered, ended])) as [Report];
    return report;
  } finally {
    ended.catch(() => undefined);
    answered.catch(() => undefined);
    over.abort();
  }
}
