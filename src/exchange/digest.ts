/** One number for a set of records, the same on both sides of an exchange. */
import { createHash } from 'node:crypto';
import { compareText } from '../api/object.ts';

/** JSON with sorted keys and no spaces: equal values give equal text, whatever the order of their members. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/**
 * SHA-256, hex, of one record as its exporter said it: members that this version does not know, and drops, count too. So two
 * versions agree on what they hold.
 */
export function hashOf(record: unknown): string {
  return createHash('sha256').update(canonicalJson(record)).digest('hex');
}

/** One record of the set. */
export interface Hashed {
  readonly namespace: string;
  readonly name: string;
  readonly hash: string;
}

/** SHA-256, hex, over the hashes of the records, sorted by namespace and name (shapes §2). */
export function digestOf(records: Iterable<Hashed>): string {
  const sorted = [...records].sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name));
  const hash = createHash('sha256');
  for (const { namespace, name, hash: one } of sorted) hash.update(`${namespace}/${name} ${one}\n`);
  return hash.digest('hex');
}
