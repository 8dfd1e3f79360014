/** Which TCP connection is below a TLS socket: only it can send a reset, and TLS keeps it to itself. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

const raws = new WeakMap<TLSSocket, Socket>();

/** To be said by whoever has made the one over the other. */
export function rememberRawSocket(socket: TLSSocket, raw: Socket): void {
  raws.set(socket, raw);
}

export function rawSocketOf(socket: TLSSocket): Socket | undefined {
  return raws.get(socket);
}
