/** TCP keep-alive as every leg of a connection has it: Linux by itself begins after two hours. */
import type { Socket } from 'node:net';
import { KEEP_ALIVE_LOOKS, KEEP_ALIVE_MS, KEEP_ALIVE_PROBES_MAX } from './limits.ts';
import type { TunnelTable } from './tunnels.ts';

/**
 * An idle connection shows middle boxes that it lives, and an end that vanished is found. The kernel counts in whole seconds.
 *
 * @param idleMs - the first probe comes after this time without a byte, and the next ones after as long.
 */
export function keepAlive(socket: Socket, idleMs = KEEP_ALIVE_MS): void {
  socket.setKeepAlive({ enable: true, initialDelay: idleMs, interval: idleMs, count: KEEP_ALIVE_PROBES_MAX });
}

export interface KeepTunnelsAliveOptions {
  readonly table: Pick<TunnelTable, 'open'>;
  /** Absent: {@link KEEP_ALIVE_MS}. */
  readonly idleMs?: number | undefined;
}

/**
 * Those of the connections that last: most have ended before the first look, and have cost nothing. The kernel counts from the last
 * byte, so that the first probe is hardly late. @returns no more of it.
 */
export function keepTunnelsAlive({ table, idleMs = KEEP_ALIVE_MS }: KeepTunnelsAliveOptions): () => void {
  const timer = setInterval(() => {
    for (const tunnel of table.open()) tunnel.keepAlive(idleMs);
  }, idleMs / KEEP_ALIVE_LOOKS);
  return () => clearInterval(timer);
}
