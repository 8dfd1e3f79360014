/**
 * Changed copies of maps that are never changed in place, without copying all of them: ten thousand entries are a millisecond for
 * each change of one. A large map is made of small ones, of which a changed copy replaces one and shares the others.
 */
import { randomInt } from 'node:crypto';

/** Below it a plain copy is cheaper. */
const PLAIN_ENTRIES_MAX = 128;
const SHARDS = 128;

type Shards<T> = readonly ReadonlyMap<string, T>[];

/** Of those maps that are made of small ones. */
const shardsByMap = new WeakMap<ReadonlyMap<string, unknown>, Shards<unknown>>();

/** Like the map, and with this value at the key. In which order a large one is walked through means nothing. */
export function withKey<T>(map: ReadonlyMap<string, T>, key: string, value: T): ReadonlyMap<string, T> {
  if (map.size < PLAIN_ENTRIES_MAX) return new Map(map).set(key, value);
  return replaceShard(map, key, (shard) => shard.set(key, value));
}

/** Like the map, and without the key; the map itself when it has none such. */
export function withoutKey<T>(map: ReadonlyMap<string, T>, key: string): ReadonlyMap<string, T> {
  if (!map.has(key)) return map;
  if (map.size > PLAIN_ENTRIES_MAX) return replaceShard(map, key, (shard) => shard.delete(key));
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}

function replaceShard<T>(
  map: ReadonlyMap<string, T>,
  key: string,
  change: (shard: Map<string, T>) => void,
): ReadonlyMap<string, T> {
  const shards = (shardsByMap.get(map) as Shards<T> | undefined) ?? split(map);
  const index = shardOf(key);
  const before = shards[index];
  const after = new Map(before);
  change(after);
  return join(shards.with(index, after), map.size + after.size - (before?.size ?? 0));
}

function split<T>(map: ReadonlyMap<string, T>): Shards<T> {
  const shards = Array.from({ length: SHARDS }, () => new Map<string, T>());
  for (const [key, value] of map) shards[shardOf(key)]?.set(key, value);
  return shards;
}

function join<T>(shards: Shards<T>, size: number): ReadonlyMap<string, T> {
  const shard = (key: string) => shards[shardOf(key)];
  function* entries(): MapIterator<[string, T]> {
    for (const one of shards) yield* one;
  }
  function* keys(): MapIterator<string> {
    for (const one of shards) yield* one.keys();
  }
  function* values(): MapIterator<T> {
    for (const one of shards) yield* one.values();
  }
  const map: ReadonlyMap<string, T> = {
    size,
    get: (key) => shard(key)?.get(key),
    has: (key) => shard(key)?.has(key) === true,
    forEach(callback) {
      for (const [key, value] of entries()) callback(value, key, map);
    },
    entries,
    keys,
    values,
    [Symbol.iterator]: entries,
  };
  shardsByMap.set(map, shards);
  return map;
}

/** Odd, and another one in each process: peers choose their names, and 10,000 that fall together would cost 3 ms for each change. */
const MULTIPLIER = randomInt(2 ** 31) * 2 + 1;

function shardOf(key: string): number {
  let hash = MULTIPLIER;
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), MULTIPLIER);
    hash ^= hash >>> 15;
  }
  return hash & (SHARDS - 1);
}
