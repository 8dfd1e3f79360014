/** Where a thread that answers begins. */
import { parentPort, workerData } from 'node:worker_threads';
import { AppError } from '../api/errors.ts';
import { makeLogger, makeSilentLogger } from '../runtime/log.ts';
import { makeCounts } from './counts.ts';
import { startDnsServer, type DnsServer } from './server.ts';
import type { FromThread, ThreadOptions, ToThread } from './thread-messages.ts';

const { log, counts, ...options } = workerData as ThreadOptions;
const { level, bindings } = log;

function say(message: FromThread): void {
  parentPort?.postMessage(message);
}

async function start(): Promise<DnsServer | undefined> {
  const logger = level === 'silent' ? makeSilentLogger() : makeLogger({ level, bindings });
  try {
    return await startDnsServer({ ...options, logger, metrics: makeCounts(counts) });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { code, message, fix } = error;
    say({ kind: 'refused', code, message, fix });
    return undefined;
  }
}

const server = await start();
if (server !== undefined) {
  parentPort?.on('message', (message: ToThread) => {
    switch (message.kind) {
      case 'snapshot':
        return say({ kind: 'applied', version: server.apply(message.snapshot) });
      case 'change':
        return say({ kind: 'applied', version: server.change(message.change) });
      case 'close':
        // Without its port, and without sockets, the thread has nothing more to wait for.
        parentPort?.close();
        void server.close();
    }
  });
  say({ kind: 'listening', address: server.address });
}
