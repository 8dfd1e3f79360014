/** Every socket of one emulated peer, so that closing it leaves none; and an errored socket is a closed one, no more. */
import { once } from 'node:events';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Address } from './types.ts';

export interface Sockets {
  track<S extends Socket>(socket: S): S;
  /** @returns undefined when the connection is not there in time. */
  dial(address: Address, signal: AbortSignal): Promise<Socket | undefined>;
  close(): Promise<void>;
}

export function makeSockets(): Sockets {
  const open = new Set<Socket>();

  function track<S extends Socket>(socket: S): S {
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    return socket;
  }

  return {
    track,
    async dial({ host, port }, signal) {
      const socket = track(connect({ host, port, allowHalfOpen: true, noDelay: true }));
      return (await happens(socket, 'connect', signal)) ? socket : undefined;
    },
    async close() {
      const closed = [...open].map(whenClosed);
      open.forEach((socket) => socket.destroy());
      await Promise.all(closed);
    },
  };
}

/** Whether the event comes before the socket closes and before the signal; if not, the socket is destroyed. */
export function happens(socket: Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const yes = (): void => done(true);
    const no = (): void => done(false);
    function done(outcome: boolean): void {
      socket.off(event, yes).off('close', no);
      signal.removeEventListener('abort', no);
      if (!outcome) socket.destroy();
      resolve(outcome);
    }
    if (signal.aborted) return no();
    signal.addEventListener('abort', no);
    socket.on(event, yes).on('close', no);
  });
}

/** Whatever error it closes with. */
export function whenClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())));
}

/** Listens at 127.0.0.1. */
export async function listenAt(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  await closed;
}
