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
