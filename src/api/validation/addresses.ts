/** Hosts and ports as people write them. */
import { isIP, isIPv6 } from 'node:net';
import { isLabel, isSubdomain } from '../names.ts';
import { quote } from './quote.ts';

export const PORT_MAX = 65_535;

export function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= PORT_MAX;
}

/** IPv4 in four decimal parts, or IPv6 without brackets and without a zone (a zone means something on one machine only). */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}

/**
 * A DNS name that no resolver takes for an address: C libraries read `127.1` and `0x7f.1` as 127.0.0.1, so that a name whose
 * last label is a number is refused (as the WHATWG URL standard does).
 */
export function isDnsName(text: string): boolean {
  const labels = text.toLowerCase().split('.');
  return isSubdomain(labels.join('.')) && labels.every(isLabel) && !/^(?:\d+|0x[\da-f]*)$/.test(labels.at(-1) ?? '');
}

/** What is wrong with a host, and what to do; nothing when it is an IP address or a DNS name. */
export function hostProblem(host: string): { readonly message: string; readonly fix: string } | undefined {
  if (isAddress(host) || isDnsName(host)) return undefined;
  if (host === '') return { message: 'is empty', fix: 'Give a DNS name or an IP address.' };
  const message = `must be a DNS name or an IP address, is ${quote(host)}`;
  if (host.includes('://')) return { message, fix: 'Leave out the scheme and the path: the host alone stands here.' };
  if (isIPv6(host.replace(/^\[|\]$/g, '')))
    return { message, fix: 'Write the IPv6 address without brackets and zone.' };
  if (/:\d+$/.test(host)) return { message, fix: 'Leave out the port: it has a field of its own.' };
  return { message, fix: 'Give a DNS name such as gw.east.example, or an IP address such as 192.0.2.10.' };
}
