/** A map that never changes: a changed one is another, and shares with it whatever is the same. Pure. */

/** Buckets of a map, a power of two: 50,000 names are 12 in each, so that a change copies the bucket list and a dozen entries. */
const BUCKETS = 4_096;

type Bucket<V> = ReadonlyMap<string, V>;

export class SharedMap<V> {
  readonly #buckets: readonly (Bucket<V> | undefined)[];
  readonly size: number;

  private constructor(buckets: readonly (Bucket<V> | undefined)[], size: number) {
    this.#buckets = buckets;
    this.size = size;
  }

  static empty<V>(): SharedMap<V> {
    return new SharedMap<V>(new Array<undefined>(BUCKETS).fill(undefined), 0);
  }

  /** @param hash - of the key: whoever has read it octet by octet knows it. */
  get(key: string, hash = hashText(key)): V | undefined {
    return this.#buckets[hash & (BUCKETS - 1)]?.get(key);
  }

  *entries(): Generator<[string, V], void> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket;
  }

  /** With these values in place of those it has; undefined takes a key out. */
  with(changes: ReadonlyMap<string, V | undefined>): SharedMap<V> {
    if (changes.size === 0) return this;
    const buckets = [...this.#buckets];
    const copied = new Map<number, Map<string, V>>();
    let size = this.size;
    for (const [key, value] of changes) {
      const index = hashText(key) & (BUCKETS - 1);
      const bucket = copied.get(index) ?? new Map(buckets[index]);
      copied.set(index, bucket);
      buckets[index] = bucket;
      size -= bucket.size;
      if (value === undefined) bucket.delete(key);
      else bucket.set(key, value);
      size += bucket.size;
    }
    return new SharedMap(buckets, size);
  }
}

export const HASH_START = 0x811c9dc5 | 0;

/** One step of FNV-1a, 32 bits. */
export function hashOctet(hash: number, octet: number): number {
  return Math.imul(hash ^ octet, 0x01000193);
}

/** Of a text whose characters are octets. */
export function hashText(key: string): number {
  let hash = HASH_START;
  for (let index = 0; index < key.length; index++) hash = hashOctet(hash, key.charCodeAt(index));
  return hash;
}
