/**
 * Resets TCP connections. The one place that calls Node's `resetAndDestroy`: while a shutdown is under way libuv refuses it (EINVAL),
 * and Node has let go of the handle by then. Nobody closes it any more: a descriptor is lost, the other end never hears of the reset,
 * and a process that ends by itself waits for the handle for ever.
 */
import type { Socket } from 'node:net';
import { RESET_WAIT_MS } from './limits.ts';

/** Ends a connection so that the other end sees a reset, never an end of file. One that is not open yet: as soon as it is. */
export function resetSocket(socket: Socket): void {
  whenResettable(socket, () => void socket.resetAndDestroy());
}

/**
 * At once, or in the next turn of the event loop, when the shutdown is over; nothing is read until then. Not called where the socket
 * is destroyed meanwhile, as it is after {@link RESET_WAIT_MS}.
 */
export function whenResettable(socket: Socket, reset: () => void): void {
  if (!isShuttingDown(socket)) return reset();
  socket.pause();
  const timer = setTimeout(() => socket.destroy(), RESET_WAIT_MS);
  socket.once('close', () => clearTimeout(timer));
  socket.once('finish', () => {
    if (!socket.destroyed) reset();
  });
}

/** Its end was said and all before it was written. What waits to be written holds the shutdown back, and nothing is in the way. */
function isShuttingDown({ destroyed, writableEnded, writableFinished, writableLength }: Socket): boolean {
  return !destroyed && writableEnded && !writableFinished && writableLength === 0;
}
