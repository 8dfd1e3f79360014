/** The data plane of a gateway: in this process, or in as many workers as are configured. Whoever talks to it sees no difference. */
import type { DownMessage, UpMessage } from '../../gateway/messages.ts';
import { startDataPlane, type DataPlaneOptions } from '../../gateway/plane.ts';
import type { WorkerPlaneOptions } from '../../gateway/workers/messages.ts';
import { toWorkerOutbound } from '../../gateway/workers/outbound.ts';
import { startWorkerPool } from '../../gateway/workers/pool.ts';
import { makeChannelPair, type ChannelEnd } from '../../runtime/channel.ts';
import type { Health } from '../../runtime/health.ts';
import { setHeapGrowth } from '../../runtime/heap-growth.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { AppError } from '../../api/errors.ts';
import type { Identity } from './identity.ts';

export interface GatewayPlane {
  readonly channel: ChannelEnd<DownMessage, UpMessage>;
  /** Replaces the workers without a cut. @throws {AppError} `ERR_USAGE` when there are none. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface GatewayPlaneOptions {
  /** 0: in this process. */
  readonly workers: number;
  readonly plane: Omit<WorkerPlaneOptions, 'instance' | 'workers' | 'outbound'> &
    Required<Pick<DataPlaneOptions, 'outbound'>>;
  readonly identity: Pick<Identity, 'current'>;
  readonly drainMs: number;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'workers' | 'workerRestarts'>;
  readonly health: Pick<Health, 'expect'>;
}

/** @throws {AppError} `ERR_LISTEN` */
export async function startGatewayPlane(options: GatewayPlaneOptions): Promise<GatewayPlane> {
  const { workers, plane, identity, drainMs, logger, metrics, health } = options;
  if (workers > 0) {
    const ready = health.expect('workers');
    return startWorkerPool({
      workers,
      plane: { ...plane, outbound: toWorkerOutbound(plane.outbound) },
      identity: () => identity.current(),
      drainMs,
      logger: logger.child({ component: 'workers' }),
      onCount({ serving, leaving }) {
        metrics.workers.set({ state: 'serving' }, serving);
        metrics.workers.set({ state: 'leaving' }, leaving);
        // Others of this peer serve meanwhile, where there are any.
        if (serving > 0) ready.ready();
        else ready.missing('none serves, they are started again');
      },
      onReplaced: (cause) => metrics.workerRestarts.inc({ cause }),
    });
  }
  setHeapGrowth();
  const channel = makeChannelPair<DownMessage, UpMessage>();
  const started = await startDataPlane({ ...plane, identity: () => identity.current(), channel: channel.child });
  return {
    channel: channel.parent,
    restart: () =>
      Promise.reject(
        new AppError('ERR_USAGE', 'gateway: it has no workers to replace', {
          fix: 'set "workers" to 1 or more: a process that carries connections itself cannot be replaced without cutting them',
        }),
      ),
    async close() {
      await started.close();
      channel.parent.close();
    },
  };
}
