/** `host:port` as configurations write it. */
import { isIP, isIPv6 } from 'node:net';
import { isSubdomain } from '../api/names.ts';

export interface HostPort {
  /** An address, without brackets, or a host name. */
  readonly host: string;
  readonly port: number;
}

const HOST_PORT = /^(?:\[([^\]]*)\]|([^:[\]]+)):(\d{1,5})$/;

/** undefined for anything but `10.0.0.1:443`, `[::1]:443` or `name.example:443` with a port from 1 to 65535. */
export function parseHostPort(text: string): HostPort | undefined {
  const [, bracketed, plain, digits = ''] = HOST_PORT.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined) return isIPv6(host) ? { host, port } : undefined;
  // A name of digits and dots that is no address is a mistyped address.
  const isName = isSubdomain(host.toLowerCase()) && !/^[\d.]+$/.test(host);
  return isIP(host) === 4 || isName ? { host, port } : undefined;
}

export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
