/**
 * What local imports and peers find wrong with each export, by who says it: a binding that changes, or a peer that reports, costs
 * the exports it speaks of and not all there are.
 */
import { isDeepStrictEqual } from 'node:util';
import { compareText, formatKey, keyOf, type ObjectKey } from '../../api/object.ts';
import type { CachesOf } from '../../store/caches.ts';
import type { ConflictSeen } from './desired.ts';

/** By the `namespace/name` of the export. */
type Said = ReadonlyMap<string, readonly ConflictSeen[]>;

export interface ConflictIndex {
  /** Of one export, in an order that does not depend on who spoke first. */
  of(key: ObjectKey): ConflictSeen[];
  /** Reads an ImportBinding again. The exports of which it now says something else, as `namespace/name`. */
  readBinding(key: ObjectKey): readonly string[];
  /** Reads a PeerRecords object again; the same. */
  readRecords(key: ObjectKey): readonly string[];
  /** Reads everything, and forgets who is not there any more. */
  readAll(): void;
}

export function makeConflictIndex(input: {
  readonly self: string;
  readonly caches: CachesOf<'ImportBinding' | 'PeerRecords'>;
}): ConflictIndex {
  const { self, caches } = input;
  const saidBySource = new Map<string, Said>();
  const sourcesByExport = new Map<string, Set<string>>();

  function take(source: string, said: Said): string[] {
    const before = saidBySource.get(source);
    if (said.size === 0) saidBySource.delete(source);
    else saidBySource.set(source, said);
    const named = new Set([...(before?.keys() ?? []), ...said.keys()]);
    for (const name of named) {
      const sources = sourcesByExport.get(name) ?? new Set();
      if (said.has(name)) sources.add(source);
      else sources.delete(source);
      if (sources.size === 0) sourcesByExport.delete(name);
      else sourcesByExport.set(name, sources);
    }
    return [...named].filter((name) => !isDeepStrictEqual(before?.get(name), said.get(name)));
  }

  /** The verdicts of a local import on exports of this peer. */
  function readBinding(key: ObjectKey): string[] {
    const verdicts = caches.ImportBinding.get(key)?.spec.verdicts ?? [];
    const own = verdicts.filter(({ peer }) => peer === self);
    return take(`binding ${formatKey(key)}`, Map.groupBy(own, formatKey));
  }

  /** What a peer reports; it names no import of its own. */
  function readRecords(key: ObjectKey): string[] {
    const { peer = '', report, peerGoneSince } = caches.PeerRecords.get(key)?.spec ?? {};
    // What is only remembered is nobody's word.
    const conflicts = peerGoneSince === undefined ? (report?.conflicts ?? []) : [];
    const said = new Map<string, ConflictSeen[]>();
    for (const conflict of conflicts) {
      const { reasons, loses } = conflict;
      const name = formatKey(conflict);
      const message = `Peer ${peer} imports this export together with others that differ from it${loses ? ', and uses their values' : ''}.`;
      said.set(name, [...(said.get(name) ?? []), { reasons, loses, message }]);
    }
    return take(`records ${formatKey(key)}`, said);
  }

  return {
    of(key) {
      const name = formatKey(key);
      const sources = [...(sourcesByExport.get(name) ?? [])].sort(compareText);
      return sources.flatMap((source) => saidBySource.get(source)?.get(name) ?? []);
    },
    readBinding,
    readRecords,
    readAll() {
      saidBySource.clear();
      sourcesByExport.clear();
      for (const object of caches.ImportBinding.list()) readBinding(keyOf(object));
      for (const object of caches.PeerRecords.list()) readRecords(keyOf(object));
    },
  };
}
