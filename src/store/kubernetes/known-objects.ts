/**
 * The newest that is known of each object of one kind: what the watch said, or the answer to an own write that the watch has
 * not told yet. Pure.
 *
 * Readers see the watch alone, so that everybody sees one order of events. Writers compare with the newest: otherwise the
 * second change of A -> B -> A would look like no change until the watch has told of B.
 */
import { createHash } from 'node:crypto';
import type { KindName } from '../../api/kinds.ts';
import { formatKey, keyOf, type KubeObject, type ObjectKey } from '../../api/object.ts';
import type { JsonMap } from '../json.ts';
import { ownsNoMore, type Subresource } from './owned-fields.ts';
import { isAtLeast, type Received } from './received.ts';
import { hasValues } from './same-values.ts';

export interface KnownObjects {
  /** False until the first complete list: until then absence means nothing. */
  readonly hasSynced: boolean;
  /** What was saved before, while there is no list: for readers; no write is compared with it. */
  restored(objects: readonly Received[]): void;
  /** As the watch told it, by no order. */
  list(): readonly KubeObject[];
  /** Everything anew. Result: objects that were known and now have another uid under their name. */
  replaced(objects: readonly Received[]): readonly KubeObject[];
  /** Result: what readers are to be told; `recreated` was deleted in between. */
  changed(received: Received): { readonly recreated?: KubeObject; readonly object: KubeObject };
  /** Result: what went, if it was known. */
  deleted(received: Received): KubeObject | undefined;
  /** The answer to an own write, and what was written. */
  wrote(received: Received, write: Write): void;
  /** A write whose end is not known, or a delete: the object is compared with nothing until its next answer. */
  doubt(key: ObjectKey): void;
  /** The object as it is, when this write would change nothing; undefined when it would, or when that cannot be told. */
  unchangedBy(key: ObjectKey, write: Write): KubeObject | undefined;
}

export interface Write {
  readonly manager: string;
  readonly subresource: Subresource;
  readonly desired: JsonMap;
  /** Preconditions of the writer. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

interface Entry extends Received {
  /** Digests of writes that gave this very version, by manager and subresource: what the server dropped or completed is no change. */
  readonly written?: Readonly<Record<string, string>>;
}

export function makeKnownObjects(kind: KindName): KnownObjects {
  let told = new Map<string, Entry>();
  /** Newer than what the watch told; `undefined` = not known at all. */
  const own = new Map<string, Entry | undefined>();
  let hasSynced = false;
  /** The newest version that the watch told of any object: the server counts them for all objects together. */
  let seen = '0';

  function see(version: string): void {
    if (isAtLeast(version, seen) !== false) seen = version;
  }

  function takeOwn(id: string, received: Received): Entry {
    const mine = own.get(id);
    const isTold = mine !== undefined && isAtLeast(received.resourceVersion, mine.resourceVersion) !== false;
    if (isTold) own.delete(id);
    const isSame = mine?.resourceVersion === received.resourceVersion && mine.uid === received.uid;
    return isSame && mine.written !== undefined ? { ...received, written: mine.written } : received;
  }

  return {
    get hasSynced() {
      return hasSynced;
    },
    restored(objects) {
      if (!hasSynced) told = new Map(objects.map((received) => [idOf(received), received]));
    },
    list: () => [...told.values()].map(({ object }) => object),
    replaced(objects) {
      for (const { resourceVersion } of objects) see(resourceVersion);
      const next = new Map<string, Entry>();
      const recreated: KubeObject[] = [];
      for (const received of objects) {
        const id = idOf(received);
        const before = told.get(id);
        if (before !== undefined && before.uid !== received.uid) recreated.push(before.object);
        const isSame = before?.uid === received.uid && before.resourceVersion === received.resourceVersion;
        // One copy of what did not change: readers hold the old one.
        next.set(id, isSame ? before : takeOwn(id, received));
      }
      // What a list does not have was deleted, or is an own write after the list: of both the next write tells.
      for (const id of [...own.keys()]) if (!next.has(id)) own.delete(id);
      told = next;
      hasSynced = true;
      return recreated;
    },
    changed(received) {
      see(received.resourceVersion);
      const id = idOf(received);
      const before = told.get(id);
      if (own.has(id) && own.get(id) === undefined && before?.uid !== received.uid) own.delete(id);
      told.set(id, takeOwn(id, received));
      const isOther = before !== undefined && before.uid !== received.uid;
      return { object: received.object, ...(isOther ? { recreated: before.object } : {}) };
    },
    deleted(received) {
      see(received.resourceVersion);
      const id = idOf(received);
      const mine = own.get(id);
      // An own write that made it again, before the watch told that the old one went.
      if (mine === undefined || mine.uid === received.uid) own.delete(id);
      return told.delete(id) ? received.object : undefined;
    },
    wrote(received, write) {
      const id = idOf(received);
      const present = told.get(id);
      const before = own.get(id) ?? present;
      const isSame = before?.resourceVersion === received.resourceVersion && before.uid === received.uid;
      const written = { ...(isSame ? before.written : undefined), [writeId(write)]: digestOf(write.desired) };
      const entry: Entry = { ...received, written };
      // Absent although the watch has come further: it was made and deleted while the answer was on its way.
      const order = isAtLeast(present?.resourceVersion ?? seen, received.resourceVersion);
      if (order === false) own.set(id, entry);
      else if (order === undefined) own.set(id, undefined);
      else {
        own.delete(id);
        if (isSame && present !== undefined) told.set(id, { ...present, written });
      }
    },
    doubt(key) {
      const id = formatKey(key);
      if (told.has(id) || own.has(id)) own.set(id, undefined);
    },
    unchangedBy(key, write) {
      const id = formatKey(key);
      if (!hasSynced) return undefined;
      const newest = own.has(id) ? own.get(id) : told.get(id);
      if (newest === undefined) return undefined;
      if (write.uid !== undefined && write.uid !== newest.uid) return undefined;
      if (write.resourceVersion !== undefined && write.resourceVersion !== newest.resourceVersion) return undefined;
      const { manager, subresource, desired } = write;
      if (newest.written?.[writeId(write)] === digestOf(desired)) return newest.object;
      const isSame =
        hasValues(kind, newest.object as unknown as JsonMap, desired) &&
        ownsNoMore(newest.owned, { kind, manager, subresource, desired });
      return isSame ? newest.object : undefined;
    },
  };
}

function idOf({ object }: Received): string {
  return formatKey(keyOf(object));
}

function digestOf(desired: JsonMap): string {
  return createHash('sha256').update(JSON.stringify(desired)).digest('base64');
}

function writeId({ manager, subresource }: Write): string {
  return subresource === undefined ? manager : `${manager}/${subresource}`;
}
