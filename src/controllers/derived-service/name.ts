/** The names of derived Services, as the reference implementation of the MCS API makes them (mcs-api.md §3.3). */
import { hash } from 'node:crypto';
import { formatKey, type ObjectKey } from '../../api/object.ts';

/** RFC 4648 §7, in lower case: every character may stand in a DNS label. */
const BASE32HEX = '0123456789abcdefghijklmnopqrstuv';
const NAME_HASH_CHARS = 10;

/**
 * `derived-` and the beginning of the hash of `namespace/name`. 50 bits: among 10,000 imports two meet with a chance of
 * 1 in 20 million, and whoever publishes them refuses the second.
 */
export function derivedServiceName(key: ObjectKey): string {
  return `derived-${hashLabel(formatKey(key))}`;
}

/** A hash that fits into names: SHA-256 in base32hex, its first characters. */
export function hashLabel(text: string): string {
  const bytes = hash('sha256', text, 'buffer');
  let label = '';
  for (let index = 0; index < NAME_HASH_CHARS; index++) {
    const bit = index * 5;
    const pair = ((bytes[bit >> 3] ?? 0) << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    label += BASE32HEX.charAt((pair >> (11 - (bit & 7))) & 31);
  }
  return label;
}
