/**
 * One thread that answers, for as long as it is wanted: one that ends, or owes an acknowledgement for too long, is followed by
 * another at the same port, which is told everything again.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { AppError, type ErrorCode } from '../api/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { HostAndPort } from './bind.ts';
import { DNS_THREAD_PATIENCE_MS, DNS_THREAD_RESTART_MS } from './limits.ts';
import type { ZoneChange, ZoneSnapshot } from './snapshot.ts';
import type { FromThread, ThreadOptions, ToThread } from './thread-messages.ts';

export interface DnsThreadOptions {
  readonly options: ThreadOptions;
  readonly logger: Logger;
  /** Everything, for a thread that begins; undefined: nothing is known yet. */
  snapshot(): ZoneSnapshot | undefined;
  onApplied(version: number): void;
}

export interface DnsThread {
  readonly address: HostAndPort;
  /** Takes what it is told from now on, once it has begun: see `snapshot` of the options. */
  tell(message: { readonly snapshot: ZoneSnapshot } | { readonly change: ZoneChange }): void;
  close(): Promise<void>;
}

/** Resolves when it listens. @throws {AppError} `ERR_LISTEN`, `ERR_CONFIG`, `ERR_TIMEOUT` */
export async function startDnsThread({ options, logger, snapshot, onApplied }: DnsThreadOptions): Promise<DnsThread> {
  let worker: Worker | undefined;
  let isClosing = false;
  let sent = 0;
  let overdue: NodeJS.Timeout | undefined;
  let restart: NodeJS.Timeout | undefined;

  function post(message: ToThread, version: number): void {
    if (worker === undefined) return;
    sent = version;
    worker.postMessage(message);
    overdue ??= setTimeout(() => {
      logger.error({ version: sent, waitedMs: DNS_THREAD_PATIENCE_MS }, 'A DNS thread does not answer and is ended');
      void worker?.terminate();
    }, DNS_THREAD_PATIENCE_MS);
  }

  async function begin(listen: HostAndPort): Promise<HostAndPort> {
    const born = new Worker(new URL('./thread-entry.ts', import.meta.url), { workerData: { ...options, listen } });
    // Taken for what the exit says, too.
    born.on('error', (error) => logger.error({ err: error }, 'A DNS thread failed'));
    const address = await whenListening(born);
    worker = born;
    born.on('message', (message: FromThread) => {
      if (message.kind !== 'applied') return;
      if (message.version === sent) overdue = stop(overdue);
      onApplied(message.version);
    });
    born.once('exit', () => {
      worker = undefined;
      overdue = stop(overdue);
      if (!isClosing) followUp(address);
    });
    const known = snapshot();
    if (known !== undefined) post({ kind: 'snapshot', snapshot: known }, known.version);
    return address;
  }

  function followUp(listen: HostAndPort): void {
    restart = setTimeout(() => {
      begin(listen).then(
        () => logger.warn({ ...listen }, 'Another DNS thread answers in place of one that ended'),
        (error: unknown) => {
          logger.error({ err: error }, 'Could not begin another DNS thread');
          if (!isClosing) followUp(listen);
        },
      );
    }, DNS_THREAD_RESTART_MS);
  }

  const address = await begin(options.listen);
  return {
    address,
    tell(message) {
      if ('snapshot' in message) post({ kind: 'snapshot', ...message }, message.snapshot.version);
      else post({ kind: 'change', ...message }, message.change.version);
    },
    async close() {
      isClosing = true;
      stop(restart);
      stop(overdue);
      if (worker === undefined) return;
      const gone = once(worker, 'exit');
      worker.postMessage({ kind: 'close' } satisfies ToThread);
      const patience = setTimeout(() => void worker?.terminate(), DNS_THREAD_PATIENCE_MS);
      await gone;
      clearTimeout(patience);
    },
  };
}

function stop(timer: NodeJS.Timeout | undefined): undefined {
  clearTimeout(timer);
}

async function whenListening(worker: Worker): Promise<HostAndPort> {
  const { promise, resolve, reject } = Promise.withResolvers<HostAndPort>();
  const patience = setTimeout(() => {
    void worker.terminate();
    reject(new AppError('ERR_TIMEOUT', `dns: a thread did not begin within ${DNS_THREAD_PATIENCE_MS} ms`));
  }, DNS_THREAD_PATIENCE_MS);
  worker.once('message', (message: FromThread) => {
    if (message.kind === 'listening') return resolve(message.address);
    if (message.kind !== 'refused') return;
    const { code, message: why, fix } = message;
    reject(new AppError(code as ErrorCode, why, fix === undefined ? {} : { fix }));
  });
  worker.once('exit', () => reject(new AppError('ERR_INTERNAL', 'dns: a thread ended before it answered')));
  try {
    return await promise;
  } finally {
    clearTimeout(patience);
  }
}
