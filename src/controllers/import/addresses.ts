/**
 * Gives each import an address of this peer's own pool (standalone: DESIGN §4), the same one for as long as can be (IMP-13).
 * Pure: what was given before comes in, what is given now goes out.
 */
import { AppError } from '../../api/errors.ts';

export interface AddressInput {
  /** A CIDR of IPv4 addresses, for example `127.96.16.0/20`. */
  readonly pool: string;
  /** By `namespace/name` of the import; also of imports that are gone, so that a returning one gets its address again. */
  readonly remembered: Readonly<Record<string, string>>;
  /** `namespace/name` of the imports that need an address. */
  readonly wanted: readonly string[];
}

export interface AddressAssignment {
  /** What to remember from now on. */
  readonly remembered: Readonly<Record<string, string>>;
  /** Wanted imports for which the pool had no address left. */
  readonly unassigned: readonly string[];
}

/** An import that is gone keeps its address until the pool has no other left. */
export function assignAddresses({ pool, remembered, wanted }: AddressInput): AddressAssignment {
  const range = parsePool(pool);
  const next = new Map(Object.entries(remembered).filter(([, address]) => inRange(range, address)));
  const taken = new Set(next.values());
  const wantedSet = new Set(wanted);
  const abandoned = [...next.keys()].filter((key) => !wantedSet.has(key));
  const unassigned: string[] = [];
  for (const key of [...wantedSet].sort()) {
    if (next.has(key)) continue;
    const address = freeAddress(range, key, taken) ?? reclaim(next, abandoned);
    if (address === undefined) {
      unassigned.push(key);
      continue;
    }
    taken.add(address);
    next.set(key, address);
  }
  return { remembered: Object.fromEntries(next), unassigned };
}

interface Range {
  readonly first: number;
  readonly size: number;
}

/** @throws {AppError} `ERR_CONFIG` for anything but an IPv4 CIDR of /8 to /30. */
export function parsePool(pool: string): Range {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(pool);
  const numbers = match?.slice(1).map(Number) ?? [];
  const [a = 256, b = 256, c = 256, d = 256, bits = 0] = numbers;
  if ([a, b, c, d].some((octet) => octet > 255) || bits < 8 || bits > 30) {
    throw new AppError('ERR_CONFIG', `vips: ${pool} is not an IPv4 range from /8 to /30`, {
      fix: 'write it like 127.96.16.0/20',
    });
  }
  const size = 2 ** (32 - bits);
  const base = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
  // The first and the last address of a range are the network's and the broadcast's on a routable range.
  return { first: base - (base % size) + 1, size: size - 2 };
}

/** Begins at a place that depends on the name alone, so that a lost memory most often finds the same address. */
function freeAddress({ first, size }: Range, key: string, taken: ReadonlySet<string>): string | undefined {
  if (taken.size >= size) return undefined;
  const start = hash(key) % size;
  for (let step = 0; step < size; step++) {
    const address = formatAddress(first + ((start + step) % size));
    if (!taken.has(address)) return address;
  }
  return undefined;
}

function reclaim(next: Map<string, string>, abandoned: string[]): string | undefined {
  const key = abandoned.shift();
  if (key === undefined) return undefined;
  const address = next.get(key);
  next.delete(key);
  return address;
}

function inRange({ first, size }: Range, address: string): boolean {
  const octets = address.split('.').map(Number);
  if (octets.length !== 4 || octets.some((octet) => !Number.isInteger(octet) || octet < 0 || octet > 255)) return false;
  const value = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  return value >= first && value < first + size;
}

function formatAddress(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
}

/** FNV-1a, 32 bits: stable and spread well enough to begin a search. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return value;
}
