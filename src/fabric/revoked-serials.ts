/** What a revocation list says, as a plain value: it survives structured clone. Pure. */

export interface RevokedSerials {
  /** SHA-256 of the public key of the root that has signed the list, hex: it revokes what this key has signed, nothing else. */
  readonly issuer: string;
  /** SHA-256 of the list, hex. */
  readonly list: string;
  /** As {@link toSerial} writes them. */
  readonly serials: readonly string[];
}

/** One way to write a serial number: small hexadecimal digits, no colons, no leading zeros. */
export function toSerial(text: string): string {
  const digits = text.replaceAll(':', '').toLowerCase().replace(/^0+/, '');
  return digits === '' ? '0' : digits;
}
