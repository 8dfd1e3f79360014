/**
 * What one peer has said of its exports: a pure fold of its messages and of time.
 *
 * Absence is not deletion (DESIGN §3.4): a record goes some time after the peer has taken it back, or after a complete snapshot did
 * not name it, and many at once go much later ({@link Losses}). Until then it is in force as it was. A broken stream changes nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import { formatKey, type ObjectKey } from '../api/object.ts';
import type { ExportRecord } from '../api/record.ts';
import { toTimestamp } from '../api/timestamp.ts';
import { digestOf, hashOf, type Hashed } from './digest.ts';
import { NAMESPACES_PER_PEER_MAX, RECORDS_BYTES_PER_PEER_MAX } from './limits.ts';
import { ABSENCE_GRACE_MS, RECORDS_LOST_MAX, RECORDS_PER_PEER_MAX, WITHDRAWAL_QUIET_MS } from './limits.ts';
import { dueKeys, fewThatWereAll, findMass, holdAll, restamp, type Loss, type Losses } from './losses.ts';
import type { ExporterMessage } from './messages.ts';
import { withKey, withoutKey } from './shared-map.ts';

export interface LedgerEntry {
  readonly record: ExportRecord;
  /** Of the record as it was said; absent for one that was read from PeerRecords. */
  readonly hash?: string;
  /** RFC 3339, when this peer first named this export object (its uid). */
  readonly firstSeen: string;
}

type Said = Pick<LedgerEntry, 'record' | 'hash'>;

/** The records of a snapshot that is still arriving. */
interface Arriving {
  readonly said: Map<string, Said>;
  readonly namespaces: Set<string>;
  bytes: number;
}

export interface Ledger {
  readonly epoch: string;
  /** The digest that the peer announced with its last complete snapshot; null before the first. Changes may have come since. */
  readonly digest: string | null;
  /** All that is in force. */
  readonly entries: ReadonlyMap<string, LedgerEntry>;
  /** Of these the ones that the peer does not name any more. */
  readonly losses: Losses;
  /** What went a moment ago: it comes back when it turns out to have been the first of many. */
  readonly gone: ReadonlyMap<string, { readonly entry: LedgerEntry; readonly loss: Loss }>;
  /** Of all entries, as JSON. */
  readonly bytes: number;
  /** How many entries each namespace has. */
  readonly namespaces: ReadonlyMap<string, number>;
  /** Revocation lists as it last said them, not verified: whoever reads them asks who signed them (fabric/revocation.ts). */
  readonly revocations: readonly string[];
  /** Undefined when no snapshot is arriving. The one thing changed in place: 10,000 records would else be copied 10,000 times. */
  readonly arriving: Arriving | undefined;
}

/** What of a peer is bounded here: label values of metrics. */
export type LedgerLimit = 'records' | 'records_lost' | 'record_bytes' | 'namespaces';

export type LedgerStep =
  | { readonly ok: true; readonly ledger: Ledger }
  /** The peer broke the protocol or a bound: end the stream, keep what there was. */
  | { readonly ok: false; readonly problem: string; readonly limit?: LedgerLimit };

export const EMPTY_LEDGER: Ledger = {
  epoch: '',
  digest: null,
  entries: new Map(),
  losses: new Map(),
  gone: new Map(),
  bytes: 0,
  namespaces: new Map(),
  revocations: [],
  arriving: undefined,
};

/** What to offer in `watch`: the digest of what is here, or null when a snapshot is wanted anyway. */
export function haveOf(ledger: Ledger): string | null {
  return ledger.digest === null || ledger.losses.size > 0 ? null : digestOf(hashedOf(ledger.entries));
}

function* hashedOf(said: ReadonlyMap<string, Said>): Generator<Hashed> {
  for (const { record, hash = hashOfStored(record) } of said.values()) {
    yield { namespace: record.namespace, name: record.name, hash };
  }
}

/** Records do not change, and every heart beat asks for the hash of each: 10,000 would take a sixth of a second. */
const storedHashes = new WeakMap<ExportRecord, string>();

function hashOfStored(record: ExportRecord): string {
  const hash = storedHashes.get(record) ?? hashOf(record);
  storedHashes.set(record, hash);
  return hash;
}

export function recordsOf(ledger: Ledger): ExportRecord[] {
  return [...ledger.entries.values()].map((entry) => entry.record);
}

/** How much of each bound is used, from 0 to 1. */
export function usageOf({ entries, losses, bytes, namespaces }: Ledger): Readonly<Record<LedgerLimit, number>> {
  return {
    records: (entries.size - losses.size) / RECORDS_PER_PEER_MAX,
    records_lost: losses.size / RECORDS_LOST_MAX,
    record_bytes: bytes / RECORDS_BYTES_PER_PEER_MAX,
    namespaces: namespaces.size / NAMESPACES_PER_PEER_MAX,
  };
}

/** A new stream begins with a snapshot, or with `unchanged`. */
export function beginStream(ledger: Ledger): Ledger {
  return { ...ledger, arriving: { said: new Map(), namespaces: new Set(), bytes: 0 } };
}

/** @param nowMs - milliseconds since the epoch of time, of the message's arrival. */
export function receive(ledger: Ledger, message: ExporterMessage, nowMs: number): LedgerStep {
  switch (message.op) {
    case 'unchanged':
      // Only in answer to a digest: else a peer could keep alive what its snapshot did not name.
      return ledger.arriving?.said.size === 0 && ledger.digest !== null && ledger.losses.size === 0
        ? { ok: true, ledger: { ...ledger, arriving: undefined } }
        : refuse('unchanged, without having been told a digest');
    case 'record':
      return ledger.arriving === undefined
        ? receiveRecord(ledger, message, nowMs)
        : collectRecord(ledger, ledger.arriving, message);
    case 'withdrawn':
      return ledger.arriving === undefined
        ? { ok: true, ledger: withdraw(ledger, message, nowMs) }
        : refuse('withdrawn inside a snapshot');
    case 'synced':
      return ledger.arriving === undefined
        ? refuse('synced without a snapshot')
        : completeSnapshot({ ledger, arriving: ledger.arriving, digest: message.digest, epoch: message.epoch, nowMs });
    case 'digest':
      return receiveDigest(ledger, message.digest);
    case 'revocations':
      return receiveRevocations(ledger, message.lists);
  }
}

/**
 * Time for what is lost. Call when the time of `nextDueMs(ledger.losses)` has come: before anything goes it is looked at whether it
 * is one of many.
 */
export function expire(ledger: Ledger, nowMs: number): Ledger {
  const losses = restamp(ledger.losses, nowMs);
  const current = losses === ledger.losses ? ledger : { ...ledger, losses };
  if (dueKeys(losses, nowMs).length === 0) return current;
  const held = holdMass(current, nowMs);
  return letGo(held, dueKeys(held.losses, nowMs), nowMs);
}

/**
 * Lets go of what is held, as its owner's administrator has confirmed.
 *
 * @param since - {@link Hold.since} as it was shown: of another hold it confirms nothing.
 */
export function acceptLoss(ledger: Ledger, since: string): Ledger {
  const held = [...ledger.losses].flatMap(([key, { heldSinceMs }]) =>
    heldSinceMs === undefined ? [] : [[key, toTimestamp(heldSinceMs)] as const],
  );
  if (!held.some(([, heldSince]) => heldSince === since)) return ledger;
  // RFC 3339 in UTC sorts as text.
  const keys = held.filter(([, heldSince]) => heldSince <= since).map(([key]) => key);
  return { ...letGo(ledger, keys, 0), gone: new Map() };
}

function letGo(ledger: Ledger, keys: readonly string[], nowMs: number): Ledger {
  if (keys.length === 0) return ledger;
  const entries = new Map(ledger.entries);
  const losses = new Map(ledger.losses);
  // As long as a window that begins with it can still turn out to be a mass.
  const gone = new Map(
    [...ledger.gone].filter(([, { loss }]) => nowMs - loss.sinceMs <= ABSENCE_GRACE_MS + WITHDRAWAL_QUIET_MS),
  );
  for (const key of keys) {
    const entry = entries.get(key);
    const loss = losses.get(key);
    entries.delete(key);
    losses.delete(key);
    // What a peer names and takes back in turn must not pile up here.
    if (entry !== undefined && loss !== undefined && loss.heldSinceMs === undefined && gone.size < RECORDS_LOST_MAX) {
      gone.set(key, { entry, loss });
    }
  }
  return { ...ledger, ...amountsOf(entries), entries, losses, gone };
}

function collectRecord(ledger: Ledger, arriving: Arriving, said: Said): LedgerStep {
  const key = formatKey(said.record);
  const before = arriving.said.get(key);
  arriving.bytes += bytesOf(said.record) - (before === undefined ? 0 : bytesOf(before.record));
  arriving.said.set(key, said);
  arriving.namespaces.add(said.record.namespace);
  const { bytes, namespaces } = arriving;
  return (
    findExcess({ records: arriving.said.size, bytes, namespaces: namespaces.size, lost: 0 }) ?? { ok: true, ledger }
  );
}

function receiveRecord(present: Ledger, said: Said, nowMs: number): LedgerStep {
  const key = formatKey(said.record);
  const { namespace } = said.record;
  const ledger = isNew(present, key) ? letGoOfFew(present, present, nowMs) : present;
  const before = ledger.entries.get(key);
  const entries = withKey(ledger.entries, key, toEntry(before, said, nowMs));
  const losses = withoutKey(ledger.losses, key);
  const bytes = ledger.bytes + bytesOf(said.record) - (before === undefined ? 0 : bytesOf(before.record));
  const namespaces =
    before === undefined
      ? withKey(ledger.namespaces, namespace, (ledger.namespaces.get(namespace) ?? 0) + 1)
      : ledger.namespaces;
  return (
    findExcess({ records: entries.size - losses.size, bytes, namespaces: namespaces.size, lost: losses.size }) ?? {
      ok: true,
      ledger: { ...ledger, entries, losses, bytes, namespaces, gone: withoutKey(ledger.gone, key) },
    }
  );
}

/**
 * A heart beat: compared and not kept, since it would be one more write after every change. What is lost is here and not there
 * until its time is over, so nothing can be compared before.
 */
function receiveDigest(ledger: Ledger, digest: string): LedgerStep {
  if (ledger.arriving !== undefined) return refuse('a digest inside a snapshot');
  if (ledger.losses.size > 0) return { ok: true, ledger };
  if (digestOf(hashedOf(ledger.entries)) !== digest) return refuse('the digest is not that of the records here');
  return { ok: true, ledger };
}

function receiveRevocations(ledger: Ledger, lists: readonly string[]): LedgerStep {
  if (ledger.arriving !== undefined) return refuse('revocations inside a snapshot');
  return {
    ok: true,
    ledger: isDeepStrictEqual(lists, ledger.revocations) ? ledger : { ...ledger, revocations: lists },
  };
}

function withdraw(ledger: Ledger, withdrawn: ObjectKey, nowMs: number): Ledger {
  const key = formatKey(withdrawn);
  if (!ledger.entries.has(key) || ledger.losses.has(key)) return ledger;
  return { ...ledger, losses: withKey(ledger.losses, key, { sinceMs: nowMs, how: 'withdrawn' }) };
}

function completeSnapshot(input: {
  readonly ledger: Ledger;
  readonly arriving: Arriving;
  readonly digest: string;
  readonly epoch: string;
  readonly nowMs: number;
}): LedgerStep {
  const { ledger, arriving, digest, epoch, nowMs } = input;
  const { said } = arriving;
  if (digestOf(hashedOf(said)) !== digest) return refuse('the digest is not that of the snapshot');
  const isRecreated = ledger.epoch !== '' && ledger.epoch !== epoch;
  const entries = new Map<string, LedgerEntry>();
  const losses = new Map<string, Loss>();
  for (const [key, entry] of ledger.entries) {
    if (said.has(key)) continue;
    entries.set(key, entry);
    const lost: Loss = ledger.losses.get(key) ?? { sinceMs: nowMs, how: 'unnamed' };
    losses.set(key, isRecreated ? { ...lost, how: 'unnamed' } : lost);
  }
  for (const [key, one] of said) {
    const before = ledger.entries.get(key);
    // With its state the peer has lost the uids of its exports: its names are those of before all the same.
    const entry = toEntry(before, one, nowMs);
    entries.set(key, isRecreated && before !== undefined ? { ...entry, firstSeen: before.firstSeen } : entry);
  }
  const next: Ledger = {
    ...ledger,
    ...amountsOf(entries),
    ...{ epoch, digest, entries, losses, arriving: undefined },
    gone: new Map([...ledger.gone].filter(([key]) => !said.has(key))),
  };
  const { bytes, namespaces } = next;
  const excess = findExcess({ records: said.size, bytes, namespaces: namespaces.size, lost: losses.size });
  if (excess !== undefined) return excess;
  // A peer that was made again may know less than it did: whatever it misses is held, few or many.
  if (isRecreated) return { ok: true, ledger: { ...next, losses: holdAll(losses, nowMs) } };
  const isAllNew = said.size > 0 && [...said.keys()].every((key) => isNew(ledger, key));
  return { ok: true, ledger: isAllNew ? letGoOfFew(next, ledger, nowMs) : next };
}

/** Not what comes back. */
function isNew({ entries, gone }: Ledger, key: string): boolean {
  return !entries.has(key) && !gone.has(key);
}

/** @param before - as it was until the peer named something new. */
function letGoOfFew(ledger: Ledger, before: Ledger, nowMs: number): Ledger {
  return letGo(ledger, fewThatWereAll(before.losses, before.entries.size - before.losses.size), nowMs);
}

/** When too much has gone within a few seconds, all of it stays, and what has left in them comes back. */
function holdMass(ledger: Ledger, nowMs: number): Ledger {
  const { entries, losses, gone } = ledger;
  const goneLosses = new Map([...gone].map(([key, { loss }]) => [key, loss]));
  const mass = findMass({ losses, gone: goneLosses, named: entries.size - losses.size });
  if (mass === undefined) return ledger;
  const back = [...gone].flatMap(([key, { entry }]) => (mass.has(key) ? [[key, entry] as const] : []));
  const all = new Map([...entries, ...back]);
  return {
    ...ledger,
    ...amountsOf(all),
    entries: all,
    losses: new Map([...losses, ...holdAll(mass, nowMs)]),
    gone: new Map([...gone].filter(([key]) => !mass.has(key))),
  };
}

/** The same export object keeps the time it was first seen; a new uid is a new export. */
function toEntry(before: LedgerEntry | undefined, { record, hash }: Said, nowMs: number): LedgerEntry {
  const firstSeen = before?.record.uid === record.uid ? before.firstSeen : toTimestamp(nowMs);
  return { record, firstSeen, ...(hash === undefined ? {} : { hash }) };
}

/** What of some entries is counted against bounds. */
export function amountsOf(entries: ReadonlyMap<string, LedgerEntry>): Pick<Ledger, 'bytes' | 'namespaces'> {
  const namespaces = new Map<string, number>();
  let bytes = 0;
  for (const { record } of entries.values()) {
    namespaces.set(record.namespace, (namespaces.get(record.namespace) ?? 0) + 1);
    bytes += bytesOf(record);
  }
  return { bytes, namespaces };
}

/** Records do not change, and their sizes are asked for again whenever one is replaced. */
const sizes = new WeakMap<ExportRecord, number>();

/** Of a record as it is kept. */
export function bytesOf(record: ExportRecord): number {
  const bytes = sizes.get(record) ?? Buffer.byteLength(JSON.stringify(record));
  sizes.set(record, bytes);
  return bytes;
}

interface Amounts {
  readonly records: number;
  readonly lost: number;
  readonly bytes: number;
  readonly namespaces: number;
}

function findExcess({ records, lost, bytes, namespaces }: Amounts): LedgerStep | undefined {
  if (records > RECORDS_PER_PEER_MAX) return tooMuch('records', `more than ${RECORDS_PER_PEER_MAX} records`);
  if (lost > RECORDS_LOST_MAX) {
    return tooMuch('records_lost', `more than ${RECORDS_LOST_MAX} records are missing that were there`);
  }
  if (bytes > RECORDS_BYTES_PER_PEER_MAX) {
    return tooMuch('record_bytes', `its records are longer than ${RECORDS_BYTES_PER_PEER_MAX} bytes together`);
  }
  if (namespaces > NAMESPACES_PER_PEER_MAX) {
    return tooMuch('namespaces', `records of more than ${NAMESPACES_PER_PEER_MAX} namespaces`);
  }
  return undefined;
}

function tooMuch(limit: LedgerLimit, problem: string): LedgerStep {
  return { ok: false, problem, limit };
}

function refuse(problem: string): LedgerStep {
  return { ok: false, problem };
}
