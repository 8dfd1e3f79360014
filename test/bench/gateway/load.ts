/** Orders to a load process, and its answers. */
import { fileURLToPath } from 'node:url';
import { ask } from '../ask.ts';
import type { ProcessGroup } from '../processes.ts';
import type { LoadOrder, LoadReport } from './load-process.ts';

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
  return {
    async order(order) {
      const takesMs = 'durationMs' in order ? order.durationMs : 0;
      const report = await ask<LoadReport>(started, { order, timeoutMs: takesMs + SPARE_MS });
      if (report.kind === 'failed') throw new Error(report.message);
      return report;
    },
    end: () => started.end(),
  };
}
