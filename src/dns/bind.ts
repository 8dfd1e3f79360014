/** One address and one port for UDP and TCP. */
import type { Socket as UdpSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { isIPv6, type Server } from 'node:net';
import { AppError } from '../api/errors.ts';
import { listenAtEvery } from '../runtime/every-address.ts';
import { BIND_ATTEMPTS_MAX, TCP_BACKLOG } from './limits.ts';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

export interface BindAt extends HostAndPort {
  /** Other sockets of this user may have the same port (`SO_REUSEPORT`). */
  readonly isShared?: boolean;
}

export interface Bindable {
  readonly udp: UdpSocket;
  readonly tcp: Server;
}

/** A name means its first address, once and for both transports. @throws {AppError} `ERR_LISTEN` */
export async function resolveListenHost(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (cause) {
    const fix = 'set dns.listen to an address of this machine';
    throw new AppError('ERR_LISTEN', `dns.listen: ${host} has no address`, { cause, fix });
  }
}

/**
 * Calls `make` for fresh sockets until both could be bound. With port 0 the kernel chooses for UDP, and TCP may find that port
 * taken by somebody else: then both begin anew.
 *
 * @param at - an address, not a name; for `::` see {@link listenAtEvery}.
 * @returns `host`: the address that was bound.
 * @throws {AppError} `ERR_LISTEN`; nothing stays open.
 */
export async function bindBoth<B extends Bindable>(
  make: (family: 4 | 6) => B,
  at: BindAt,
): Promise<HostAndPort & { readonly bound: B }> {
  try {
    return await listenAtEvery(at.host, (host) => bindAt(make, { ...at, host }));
  } catch (cause) {
    throw toListenError(cause, at);
  }
}

async function bindAt<B extends Bindable>(make: (family: 4 | 6) => B, at: BindAt) {
  for (let attempt = 1; ; attempt++) {
    const bound = make(isIPv6(at.host) ? 6 : 4);
    try {
      const port = await bindUdp(bound.udp, at);
      await listenTcp(bound.tcp, { ...at, port });
      return { bound, host: at.host, port };
    } catch (error) {
      // A socket that could not be bound is not open, but has to be closed all the same, else its handle stays.
      bound.udp.close();
      if (at.port === 0 && attempt < BIND_ATTEMPTS_MAX && isAddressInUse(error)) continue;
      throw error;
    }
  }
}

async function bindUdp(socket: UdpSocket, { host: address, port }: HostAndPort): Promise<number> {
  const listening = once(socket, 'listening');
  socket.bind({ address, port, exclusive: true });
  await listening;
  return socket.address().port;
}

async function listenTcp(server: Server, { host, port, isShared = false }: BindAt): Promise<void> {
  const listening = once(server, 'listening');
  server.listen({ host, port, backlog: TCP_BACKLOG, exclusive: true, reusePort: isShared });
  await listening;
}

function isAddressInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}

function toListenError(cause: unknown, { host, port }: HostAndPort): AppError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
  const fix = isAddressInUse(cause) ? 'stop what uses the port, or set dns.listen to another' : 'check dns.listen';
  return new AppError('ERR_LISTEN', `dns.listen: cannot listen at ${host} port ${port} (${code})`, { cause, fix });
}
