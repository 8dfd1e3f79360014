/** Orders to a load process, and its answers. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LoadOrder, LoadReport } from './load-process.ts';
import type { ProcessGroup, Started } from './processes.ts';

const PROGRAM = fileURLToPath(new URL('load-process.ts', import.meta.url));
/** Beyond what the order itself takes: each exchange has a shorter deadline of its own. */
const SPARE_MS = 60_000;

export interface Load {
  /** @throws {Error} when an exchange failed, or there was no report in time. */
  order(order: LoadOrder): Promise<LoadReport>;
  end(): Promise<void>;
}

export function startLoad(processes: Pick<ProcessGroup, 'start'>, name: string): Load {
  const started = processes.start({ name, command: process.execPath, args: [PROGRAM], channel: 'ipc' });
  return { order: (order) => ask(started, order), end: () => started.end() };
}

async function ask({ child, logTail }: Started, order: LoadOrder): Promise<LoadReport> {
  const takesMs = 'durationMs' in order ? order.durationMs : 0;
  const signal = AbortSignal.timeout(takesMs + SPARE_MS);
  const over = new AbortController();
  const ended = once(child, 'exit', { signal: over.signal }).then(() => {
    throw new Error(`the load process has ended:\n${logTail()}`);
  });
  const answered = once(child, 'message', { signal });
  child.send(order);
  try {
    const [report] = (await Promise.race([answered, ended])) as [LoadReport];
    if (report.kind === 'failed') throw new Error(report.message);
    return report;
  } finally {
    ended.catch(() => undefined);
    answered.catch(() => undefined);
    over.abort();
  }
}
