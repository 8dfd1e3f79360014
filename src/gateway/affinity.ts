/**
 * Session affinity `ClientIP` across gateways: the importer keeps a client with one source, the exporter with one endpoint.
 *
 * Connections of one client come to any replica, so each must choose alike without talking: rendezvous hashing does, as long
 * as they see the same choices. The table on top keeps a client where it is when a choice is added.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { AFFINITY_ENTRIES_MAX } from './limits.ts';

/** The items in the order of their weight for this key: an item that goes or comes moves no others. */
export function orderByKey<T>(key: string, items: readonly T[], nameOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, weight: weightOf(`${key} ${nameOf(item)}`) }))
    .sort((a, b) => b.weight - a.weight)
    .map(({ item }) => item);
}

export interface SharedOrder<T> {
  readonly key: string;
  readonly items: readonly T[];
  readonly nameOf: (item: T) => string;
  /** More than 0: of two clients who must choose, twice as many have the item with twice the share. */
  readonly shareOf: (item: T) => number;
}

/** The same for items with shares (weighted rendezvous hashing); with equal ones it is {@link orderByKey}. */
export function orderByShare<T>({ key, items, nameOf, shareOf }: SharedOrder<T>): T[] {
  return items
    .map((item) => ({ item, wait: -Math.log((weightOf(`${key} ${nameOf(item)}`) + 0.5) / 2 ** 32) / shareOf(item) }))
    .sort((a, b) => a.wait - b.wait)
    .map(({ item }) => item);
}

/** FNV-1a with a final mix: a thousand endpoints cost some 50 µs, where a cryptographic hash would cost a millisecond. */
function weightOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A connection of a client to an import. */
export interface AffinityKey {
  /** `namespace/name` of the import. */
  readonly object: string;
  readonly address: string;
}

export interface Affinity {
  /** Which source the client had, if it connected within this time. */
  recall(key: AffinityKey, timeoutMs: number): string | undefined;
  remember(key: AffinityKey, source: string): void;
  /** Forgets imports that are not among these. */
  retain(imports: ReadonlyMap<string, unknown>): void;
}

/** The client that connected least recently is forgotten beyond {@link AFFINITY_ENTRIES_MAX}. */
export function makeAffinity({ now }: { readonly now: () => number }): Affinity {
  const entries = new Map<string, { readonly source: string; readonly object: string; readonly lastMs: number }>();
  const idOf = ({ object, address }: AffinityKey): string => `${object} ${address}`;
  return {
    recall(key, timeoutMs) {
      const entry = entries.get(idOf(key));
      if (entry === undefined) return undefined;
      if (now() - entry.lastMs <= timeoutMs) return entry.source;
      entries.delete(idOf(key));
      return undefined;
    },
    remember(key, source) {
      const id = idOf(key);
      entries.delete(id);
      entries.set(id, { source, object: key.object, lastMs: now() });
      const [oldest] = entries.keys();
      if (entries.size > AFFINITY_ENTRIES_MAX && oldest !== undefined) entries.delete(oldest);
    },
    retain(imports) {
      for (const [id, { object }] of entries) if (!imports.has(object)) entries.delete(id);
    },
  };
}

const CLIENT_KEY_INFO = 'clusterlink-mcs client key';

/**
 * What an exporter is told of a client for affinity (`mcs-client`): the same from every replica, and nothing that the
 * exporter, or two exporters together, could turn back into an address. So it is keyed by what only the replicas of this
 * peer share, and depends on the exporter.
 */
export function makeClientKeys(keyPem: () => string): (client: { exporter: string; address: string }) => string {
  let derived: { readonly keyPem: string; readonly secret: Buffer } | undefined;
  return ({ exporter, address }) => {
    const current = keyPem();
    if (derived?.keyPem !== current) {
      derived = { keyPem: current, secret: Buffer.from(hkdfSync('sha256', current, '', CLIENT_KEY_INFO, 32)) };
    }
    return createHmac('sha256', derived.secret).update(`${exporter} ${address}`).digest('hex').slice(0, 32);
  };
}
