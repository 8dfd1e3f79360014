/** TCP keep-alive as every leg of a connection has it: Linux by itself begins after two hours. */
import type { Socket } from 'node:net';
import { KEEP_ALIVE_MS, KEEP_ALIVE_PROBES_MAX } from './limits.ts';

/**
 * An idle connection shows middle boxes that it lives, and an end that vanished is found. The kernel counts in whole seconds.
 *
 * @param idleMs - the first probe comes after this time without a byte, and the next ones after as long.
 */
export function keepAlive(socket: Socket, idleMs = KEEP_ALIVE_MS): void {
  socket.setKeepAlive({ enable: true, initialDelay: idleMs, interval: idleMs, count: KEEP_ALIVE_PROBES_MAX });
}
