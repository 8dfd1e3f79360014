/** Whether networks have all addresses of another one. Pure. */
import { isIP, isIPv4 } from 'node:net';
import { canonicalAddress, groupsOf } from '../../api/addresses.ts';

interface Range {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** @param inner - `10.244.0.0/16`, or an address. @param outer - networks. False for what is none. */
export function areWithin(inner: string, outer: readonly string[]): boolean {
  const wanted = parseRange(inner);
  if (wanted === undefined) return false;
  const ranges = outer
    .flatMap((text) => parseRange(text) ?? [])
    .filter(({ family }) => family === wanted.family)
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  // Several networks may have it together.
  let next = wanted.first;
  for (const { first, last } of ranges) {
    if (first > next) break;
    if (last >= next) next = last + 1n;
    if (next > wanted.last) return true;
  }
  return false;
}

function parseRange(text: string): Range | undefined {
  const [, host = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? [];
  if (isIP(host) === 0) return undefined;
  const address = canonicalAddress(host);
  const family = isIPv4(address) ? 4 : 6;
  const bits = family === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length) - (isIPv4(host) || family === 6 ? 0 : 96);
  if (prefix < 0 || prefix > bits) return undefined;
  const free = BigInt(bits - prefix);
  const first = (toNumber(address, family) >> free) << free;
  return { family, first, last: first + (1n << free) - 1n };
}

function toNumber(address: string, family: 4 | 6): bigint {
  if (family === 4) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  return groupsOf(address).reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
}
