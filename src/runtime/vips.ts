/** The range that a standalone peer gives its imports addresses from. Pure. */
import { createHash } from 'node:crypto';
import { isIPv4 } from 'node:net';

/** 127.64.0.0/10 has 1024 ranges of this size; 4094 imports fit into one. */
const RANGE_BITS = 20;
const RANGES = 1024;
const PREFIX_BITS_MIN = 8;
const PREFIX_BITS_MAX = 30;

/**
 * A /20 of 127.64.0.0/10, the same at every start: peers on one machine, as in the demo, rarely share one (their
 * configuration can name another where they do).
 */
export function defaultVips(peer: string): string {
  const index = createHash('sha256').update(peer).digest().readUInt16BE(0) % RANGES;
  const block = index << (32 - RANGE_BITS);
  return `127.${64 + (block >>> 16)}.${(block >>> 8) & 0xff}.0/${RANGE_BITS}`;
}

export type VipsProblem =
  'is not an IPv4 range' | `does not begin at ${string}` | `is not between /${number} and /${number}`;

/** What is wrong with a configured range, or undefined. */
export function vipsProblem(text: string): VipsProblem | undefined {
  const [, base = '', digits = ''] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? [];
  const bits = Number(digits);
  if (!isIPv4(base) || bits > 32) return 'is not an IPv4 range';
  if (bits < PREFIX_BITS_MIN || bits > PREFIX_BITS_MAX) {
    return `is not between /${PREFIX_BITS_MIN} and /${PREFIX_BITS_MAX}`;
  }
  const size = 2 ** (32 - bits);
  const address = base.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const first = Math.floor(address / size) * size;
  const dotted = [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.');
  return first === address ? undefined : `does not begin at ${dotted}`;
}
