/** A bound on connections that one caller cannot use up alone: the next one finds room at the cost of whoever has most. */
import type { Server, Socket } from 'node:net';
import { resetSocket } from './reset-socket.ts';

/**
 * From now on the server keeps at most so many connections. One beyond them is taken, and the oldest of the address that has most is
 * reset: a probe comes through, however many connections somebody else keeps open.
 */
export function boundFairly(server: Server, connectionsMax: number): void {
  /** By address, each in the order in which they came; the addresses likewise. */
  const open = new Map<string, Set<Socket>>();
  let count = 0;

  function forget(address: string, socket: Socket): void {
    const sockets = open.get(address);
    if (sockets?.delete(socket) !== true) return;
    count -= 1;
    if (sockets.size === 0) open.delete(address);
  }

  function makeRoom(): void {
    let [most] = open;
    for (const one of open) if (one[1].size > (most?.[1].size ?? 0)) most = one;
    const [address = '', sockets = []] = most ?? [];
    const [oldest] = sockets;
    if (oldest === undefined) return;
    forget(address, oldest);
    resetSocket(oldest);
  }

  server.on('connection', (socket) => {
    const { remoteAddress: address = '' } = socket;
    open.set(address, (open.get(address) ?? new Set()).add(socket));
    count += 1;
    socket.once('close', () => forget(address, socket));
    if (count > connectionsMax) makeRoom();
  });
}
