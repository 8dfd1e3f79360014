/** Addresses as one text each, however they are spelled: pure. */
import { isIP, SocketAddress } from 'node:net';

/**
 * The canonical text of an IP address: an IPv4 address in IPv6 clothes is what it is (`::ffff:7f00:1` is 127.0.0.1), and
 * an IPv6 address is in its shortest form, without its zone. What is no address stays as it is.
 */
export function canonicalAddress(text: string): string {
  const [address = ''] = text.split('%');
  if (isIP(address) !== 6) return isIP(address) === 4 ? address : text;
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(canonical)?.[1] ?? canonical;
}

/**
 * The eight groups of an IPv6 address, of 16 bits each (RFC 4291 §2.2), also where its end is written like an IPv4 address.
 *
 * @param address - one by `isIPv6`, without a zone.
 */
export function groupsOf(address: string): readonly number[] {
  const [head = '', tail = ''] = address.split('::');
  const [first, last] = [readGroups(head), readGroups(tail)];
  const zeros = Math.max(0, IPV6_GROUPS - first.length - last.length);
  return [...first, ...Array<number>(zeros).fill(0), ...last];
}

const IPV6_GROUPS = 8;

function readGroups(text: string): readonly number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return parseInt(group, 16);
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}
