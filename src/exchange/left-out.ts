/** Says to which peers not all exports are told that they may see: in the log when it begins and ends, and in metrics. */
import type { Logger } from '../runtime/log.ts';
import type { ExchangeMetrics } from './peer-alarms.ts';

export interface LeftOut {
  tell(peer: string, exports: number): void;
}

export function makeLeftOut({ logger, metrics }: { logger: Logger; metrics: ExchangeMetrics }): LeftOut {
  const peers = new Set<string>();
  return {
    tell(peer, exports) {
      const wasLeftOut = peers.has(peer);
      if (exports > 0 === wasLeftOut) return;
      metrics.onLeftOut(peer, exports);
      if (exports > 0) {
        peers.add(peer);
        const fix =
          'Export less to this peer (export-to, policies); of each namespace the oldest exports are told. docs/LIMITS.md';
        logger.warn({ peer, exports, fix }, 'A peer may see more exports than it takes: some are not told to it');
      } else {
        peers.delete(peer);
        logger.info({ peer }, 'A peer is told of all exports again that it may see');
      }
    },
  };
}
