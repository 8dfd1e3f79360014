/**
 * What one peer has said of its exports: a pure fold of its messages and of time.
 *
 * Absence is not deletion (DESIGN §3.4): a record goes by an explicit `withdrawn`, or when a complete snapshot does not name
 * it and it is still unnamed after the grace time. A broken stream changes nothing.
 */
import { formatKey, type ObjectKey } from '../api/object.ts';
import type { ExportRecord } from '../api/record.ts';
import { digestOf, hashOf, type Hashed } from './digest.ts';
import { ABSENCE_GRACE_MS, RECORDS_PER_PEER_MAX } from './limits.ts';
import type { ExporterMessage } from './messages.ts';

export interface LedgerEntry {
  readonly record: ExportRecord;
  /** Of the record as it was said; absent for one that was read from PeerRecords. */
  readonly hash?: string;
  /** RFC 3339, when this peer first named this export object (its uid). */
  readonly firstSeen: string;
  /** Set while a complete snapshot did not name it; milliseconds since the epoch of time. */
  readonly absentSinceMs?: number;
}

type Said = Pick<LedgerEntry, 'record' | 'hash'>;

export interface Ledger {
  readonly epoch: string;
  /** The digest that the peer announced with its last complete snapshot; null before the first. Changes may have come since. */
  readonly digest: string | null;
  readonly entries: ReadonlyMap<string, LedgerEntry>;
  /**
   * The records of a snapshot that is still arriving; undefined when none is. The one thing changed in place: a snapshot of
   * 10,000 records would else be copied 10,000 times.
   */
  readonly arriving: Map<string, Said> | undefined;
}

export type LedgerStep =
  | { readonly ok: true; readonly ledger: Ledger }
  /** The peer broke the protocol or a bound: end the stream, keep what there was. */
  | { readonly ok: false; readonly problem: string };

export const EMPTY_LEDGER: Ledger = { epoch: '', digest: null, entries: new Map(), arriving: undefined };

/** What to offer in `watch`: the digest of what is here, or null when a snapshot is wanted anyway. */
export function haveOf(ledger: Ledger): string | null {
  return ledger.digest === null || hasAbsent(ledger) ? null : digestOf(hashedOf(ledger.entries));
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

/** A new stream begins with a snapshot, or with `unchanged`. */
export function beginStream(ledger: Ledger): Ledger {
  return { ...ledger, arriving: new Map() };
}

/** @param nowMs - milliseconds since the epoch of time, of the message's arrival. */
export function receive(ledger: Ledger, message: ExporterMessage, nowMs: number): LedgerStep {
  switch (message.op) {
    case 'unchanged':
      // Only in answer to a digest: else a peer could keep alive what its snapshot did not name.
      return ledger.arriving?.size === 0 && ledger.digest !== null && !hasAbsent(ledger)
        ? { ok: true, ledger: { ...ledger, arriving: undefined } }
        : refuse('unchanged, without having been told a digest');
    case 'record':
      return receiveRecord(ledger, message, nowMs);
    case 'withdrawn':
      return ledger.arriving === undefined ? withdraw(ledger, message) : refuse('withdrawn inside a snapshot');
    case 'synced':
      return ledger.arriving === undefined
        ? refuse('synced without a snapshot')
        : completeSnapshot({ ledger, arriving: ledger.arriving, digest: message.digest, epoch: message.epoch, nowMs });
    case 'digest':
      return receiveDigest(ledger, message.digest);
  }
}

/** Withdraws what has been absent for the grace time. Call when {@link nextDueMs} has come. */
export function expire(ledger: Ledger, nowMs: number): Ledger {
  const kept = [...ledger.entries].filter(
    ([, { absentSinceMs }]) => absentSinceMs === undefined || nowMs - absentSinceMs < ABSENCE_GRACE_MS,
  );
  return kept.length === ledger.entries.size ? ledger : { ...ledger, entries: new Map(kept) };
}

/** When {@link expire} has something to do next; undefined when nothing is absent. */
export function nextDueMs(ledger: Ledger): number | undefined {
  const due = [...ledger.entries.values()].flatMap(({ absentSinceMs }) =>
    absentSinceMs === undefined ? [] : [absentSinceMs + ABSENCE_GRACE_MS],
  );
  return due.length === 0 ? undefined : Math.min(...due);
}

function receiveRecord(ledger: Ledger, said: Said, nowMs: number): LedgerStep {
  const key = formatKey(said.record);
  if (ledger.arriving !== undefined) {
    ledger.arriving.set(key, said);
    return ledger.arriving.size > RECORDS_PER_PEER_MAX ? tooMany() : { ok: true, ledger };
  }
  const entries = new Map(ledger.entries).set(key, toEntry(ledger.entries.get(key), said, nowMs));
  return entries.size > RECORDS_PER_PEER_MAX ? tooMany() : { ok: true, ledger: { ...ledger, entries } };
}

/**
 * A heart beat: compared and not kept, since it would be one more write after every change. What is absent is here and not there
 * until its grace time is over, so nothing can be compared before.
 */
function receiveDigest(ledger: Ledger, digest: string): LedgerStep {
  if (ledger.arriving !== undefined) return refuse('a digest inside a snapshot');
  if (hasAbsent(ledger)) return { ok: true, ledger };
  if (digestOf(hashedOf(ledger.entries)) !== digest) return refuse('the digest is not that of the records here');
  return { ok: true, ledger };
}

function withdraw(ledger: Ledger, key: ObjectKey): LedgerStep {
  const entries = new Map(ledger.entries);
  entries.delete(formatKey(key));
  return { ok: true, ledger: { ...ledger, entries } };
}

function completeSnapshot(input: {
  readonly ledger: Ledger;
  readonly arriving: ReadonlyMap<string, Said>;
  readonly digest: string;
  readonly epoch: string;
  readonly nowMs: number;
}): LedgerStep {
  const { ledger, arriving, digest, epoch, nowMs } = input;
  if (digestOf(hashedOf(arriving)) !== digest) return refuse('the digest is not that of the snapshot');
  const entries = new Map<string, LedgerEntry>();
  for (const [key, entry] of ledger.entries) {
    if (!arriving.has(key)) entries.set(key, { ...entry, absentSinceMs: entry.absentSinceMs ?? nowMs });
  }
  for (const [key, said] of arriving) entries.set(key, toEntry(ledger.entries.get(key), said, nowMs));
  return { ok: true, ledger: { epoch, digest, entries, arriving: undefined } };
}

/** The same export object keeps the time it was first seen; a new uid is a new export. */
function toEntry(before: LedgerEntry | undefined, { record, hash }: Said, nowMs: number): LedgerEntry {
  const firstSeen = before?.record.uid === record.uid ? before.firstSeen : toTimestamp(nowMs);
  return { record, firstSeen, ...(hash === undefined ? {} : { hash }) };
}

/** RFC 3339 with second precision, as an API server writes it. */
export function toTimestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function hasAbsent({ entries }: Ledger): boolean {
  for (const { absentSinceMs } of entries.values()) if (absentSinceMs !== undefined) return true;
  return false;
}

function refuse(problem: string): LedgerStep {
  return { ok: false, problem };
}

function tooMany(): LedgerStep {
  return refuse(`more than ${RECORDS_PER_PEER_MAX} records`);
}
