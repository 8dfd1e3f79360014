/** Between which addresses a TCP connection is. */
import type { Socket } from 'node:net';
import { canonicalAddress } from '../api/addresses.ts';

export interface SocketEnd {
  /** Canonical. */
  readonly address: string;
  readonly port: number;
}

export interface ConnectionEnds {
  readonly remote: SocketEnd;
  readonly local: SocketEnd;
}

/** Where it comes from, canonical, for people: one socket for both families sees callers of IPv4 as `::ffff:192.0.2.1`. */
export function callerAddress({ remoteAddress }: Pick<Socket, 'remoteAddress'>): string {
  return remoteAddress === undefined ? 'unknown' : canonicalAddress(remoteAddress);
}

/** The caller as refusals name it: `west at 192.0.2.1`, its address alone before it has said which peer it is. */
export function describeCaller(socket: Pick<Socket, 'remoteAddress'>, peer?: string): string {
  const address = callerAddress(socket);
  return peer === undefined ? address : `${peer} at ${address}`;
}

/** Undefined for a connection that is gone already. TLS sockets have the addresses of what is below them. */
export function endsOf(socket: Socket): ConnectionEnds | undefined {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  if (localAddress === undefined || localPort === undefined) return undefined;
  return {
    remote: { address: canonicalAddress(remoteAddress), port: remotePort },
    local: { address: canonicalAddress(localAddress), port: localPort },
  };
}
