/** IP addresses in the one form that is written to the wire. Pure. */

export interface IpAddress {
  readonly type: 'A' | 'AAAA';
  /**
   * IPv4 in dots; IPv6 in lower-case hexadecimal groups only. dns2 writes the mixed form (`::ffff:192.0.2.1`) as other octets
   * without an error, so it never gets to see it.
   */
  readonly text: string;
  /** 127.0.0.0/8, ::1, and the former written as IPv6. */
  readonly isLoopback: boolean;
}

const IPV4 = /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;
/** No scope (`%eth0`): it means nothing on another machine. */
const IPV6_CHARACTERS = /^(?=.*:)[0-9a-f:.]{2,45}$/i;
const MAPPED_LOOPBACK = /^::ffff:7f[0-9a-f]{2}:/;

/** undefined for what is no address, or has a scope. */
export function parseAddress(text: string): IpAddress | undefined {
  if (IPV4.test(text)) return { type: 'A', text, isLoopback: text.startsWith('127.') };
  const url = `http://[${text}]/`;
  if (!IPV6_CHARACTERS.test(text) || !URL.canParse(url)) return undefined;
  // The URL standard writes IPv6 as RFC 5952 asks, except that it has no mixed form: what is needed here.
  const canonical = new URL(url).hostname.slice(1, -1);
  return { type: 'AAAA', text: canonical, isLoopback: canonical === '::1' || MAPPED_LOOPBACK.test(canonical) };
}

/**
 * The host name of an endpoint that has none: its address with dashes (DNS-21). A dash at an end, which a label must not have
 * (RFC 1123 §2.1), gets a zero beside it; that is still the same address.
 */
export function toDashedLabel({ text }: IpAddress): string {
  return text.replace(/[.:]/g, '-').replace(/^-/, '0-').replace(/-$/, '-0');
}
