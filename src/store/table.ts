/** Every object that a store keeps, by kind and key, and the counter of versions. */
import { KIND_NAMES, type KindName } from '../api/kinds.ts';
import { compareText, formatKey, type KubeObject, type ObjectKey } from '../api/object.ts';
import { toVisible, type StoredObject } from './stored-object.ts';

export interface Entry {
  readonly stored: StoredObject;
  /** As readers see it, frozen. */
  readonly visible: KubeObject;
}

export interface ObjectTable {
  get(kind: KindName, key: ObjectKey): Entry | undefined;
  set(entry: Entry): void;
  delete(kind: KindName, key: ObjectKey): void;
  /** By namespace and name, so that whoever reads a list in order does the same on every machine. */
  list(kind: KindName): readonly KubeObject[];
  all(): readonly StoredObject[];
  readonly size: number;
  /** Greater than every version so far, those of earlier processes included. */
  nextVersion(): number;
}

export function makeTable(loaded: readonly StoredObject[]): ObjectTable {
  const entriesByKind = new Map(KIND_NAMES.map((kind) => [kind, new Map<string, Entry>()]));
  const entriesOf = (kind: KindName) => entriesByKind.get(kind) ?? new Map<string, Entry>();
  let version = Math.max(0, ...loaded.map(({ resourceVersion }) => resourceVersion));
  let size = 0;
  const table: ObjectTable = {
    get: (kind, key) => entriesOf(kind).get(formatKey(key)),
    set(entry) {
      const { kind, key } = entry.stored;
      if (table.get(kind, key) === undefined) size += 1;
      entriesOf(kind).set(formatKey(key), entry);
    },
    delete(kind, key) {
      if (entriesOf(kind).delete(formatKey(key))) size -= 1;
    },
    list: (kind) =>
      Object.freeze([...entriesOf(kind)].sort(([a], [b]) => compareText(a, b)).map(([, { visible }]) => visible)),
    all: () => [...entriesByKind.values()].flatMap((entries) => [...entries.values()].map(({ stored }) => stored)),
    get size() {
      return size;
    },
    nextVersion: () => (version += 1),
  };
  for (const stored of loaded) table.set({ stored, visible: toVisible(stored) });
  return table;
}
