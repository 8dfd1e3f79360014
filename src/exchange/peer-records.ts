/** PeerRecords: where what a peer said outlives the process that heard it (DESIGN §4). Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { IPeerRecords, PeerRecordsSpec, PeerRecordsSpecRecord } from '../api/generated/PeerRecords.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { compareText, formatKey } from '../api/object.ts';
import type { Applied } from '../api/applied.ts';
import { toTimestamp } from '../api/timestamp.ts';
import { amountsOf, bytesOf, EMPTY_LEDGER, type Ledger, type LedgerEntry } from './ledger.ts';
import { PEER_RECORDS_CHUNK_BYTES } from './limits.ts';
import type { Loss, Losses } from './losses.ts';

/** Text of an export's key -> the number of the object that holds its record. */
export type Placement = ReadonlyMap<string, number>;

/** `<peer>.revocations` holds the revocation lists that the peer has said; the other objects have numbers. */
const REVOCATIONS = 'revocations';

export type PlannedRecords = Applied<'PeerRecords'> & {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: PeerRecordsSpec;
};

export interface RecordsPlan {
  /** In the order in which they have to be written. */
  readonly objects: readonly PlannedRecords[];
  /** Where the records are when all of that is written. */
  readonly placement: Placement;
}

/**
 * The objects that hold a ledger: `<peer>`, `<peer>.<n>` for what does not fit, and `<peer>.revocations`. A peer's name has no dot, so the names of
 * two peers never meet. What a peer reports stands in the first one too, and is written apart ({@link makeReports}).
 *
 * Readers see one write after the other, and a record that is in no object counts as withdrawn. So a record stays in its object;
 * one that has to move, since its object has grown too large, is written where it goes before it leaves where it was.
 */
export function planPeerRecords(
  peer: string,
  ledger: Ledger,
  before: Placement,
  marks: Pick<PeerRecordsSpec, 'peerGoneSince'> = {},
): RecordsPlan {
  const entries = [...ledger.entries]
    .map(([key, entry]): Keyed => ({ key, stored: toStored(key, entry, ledger.losses) }))
    .sort(compareEntries);
  const { chunks, crowded } = placeEntries(entries, before);
  const numbers = [...chunks.keys()].sort((a, b) => Number(crowded.has(a)) - Number(crowded.has(b)) || a - b);
  const { epoch, revocations } = ledger;
  const objects = numbers.map((index) =>
    toObject(index === 0 ? peer : `${peer}.${index}`, {
      peer,
      epoch,
      // Of all records together, and said once: a change of one object must not be a change of all.
      digest: index === 0 ? (ledger.digest ?? '') : '',
      records: (chunks.get(index) ?? []).map(({ stored }) => stored),
      ...(index === 0 ? marks : {}),
    }),
  );
  // An object of their own: they are long, and change by themselves.
  if (revocations.length > 0) {
    const name = `${peer}.${REVOCATIONS}`;
    objects.push(toObject(name, { peer, epoch, digest: '', records: [], revocations: [...revocations] }));
  }
  return {
    objects,
    placement: new Map([...chunks].flatMap(([index, held]) => held.map(({ key }) => [key, index] as const))),
  };
}

/** Whether two plans have the same in this object: by identity of the records, which do not change, so that it costs little. */
export function isSameObject(a: PlannedRecords, b: PlannedRecords): boolean {
  const { records, ...rest } = a.spec;
  const { records: others, ...otherRest } = b.spec;
  const isSameRecords =
    records.length === others.length &&
    records.every(({ record, firstSeen, heldSince }, index) => {
      const other = others[index];
      return other?.record === record && other.firstSeen === firstSeen && other.heldSince === heldSince;
    });
  return isSameRecords && isDeepStrictEqual(rest, otherRest);
}

function toObject(name: string, spec: PeerRecordsSpec): PlannedRecords {
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'PeerRecords',
    metadata: { namespace: SYSTEM_NAMESPACE, name },
    spec,
  };
}

function toStored(key: string, { record, firstSeen }: LedgerEntry, losses: Losses): PeerRecordsSpecRecord {
  const heldSinceMs = losses.get(key)?.heldSinceMs;
  return { record, firstSeen, ...(heldSinceMs === undefined ? {} : { heldSince: toTimestamp(heldSinceMs) }) };
}

/** Where the records of one peer are, from its objects in any order; of two places the first object counts. */
export function placementOf(objects: readonly IPeerRecords[]): Placement {
  const placed = objects.flatMap(({ metadata, spec }) => {
    const [, number = '0'] = (metadata?.name ?? '').split('.');
    const index = /^\d{1,6}$/.test(number) ? Number(number) : 0;
    return spec.records.map(({ record }) => [formatKey(record), index] as const);
  });
  return new Map(placed.sort(([, a], [, b]) => b - a));
}

/** RFC 3339: since when there is no Peer object for these; undefined while there is. */
export function goneSinceOf(objects: readonly IPeerRecords[]): string | undefined {
  return objects.find(({ spec }) => spec.peerGoneSince !== undefined)?.spec.peerGoneSince;
}

/** Rebuilds the ledger of one peer from its objects, in any order. */
export function ledgerOf(objects: readonly IPeerRecords[]): Ledger {
  const entries = new Map<string, LedgerEntry>();
  const losses = new Map<string, Loss>();
  for (const { record, firstSeen, heldSince } of objects.flatMap(({ spec }) => spec.records)) {
    const key = formatKey(record);
    // In the middle of a move it is in two of them: what the later one says counts.
    losses.delete(key);
    entries.set(key, { record, firstSeen });
    if (heldSince === undefined) continue;
    const sinceMs = Date.parse(heldSince);
    losses.set(key, { sinceMs, how: 'unnamed', heldSinceMs: sinceMs });
  }
  const first = objects.find(({ spec, metadata }) => metadata?.name === spec.peer)?.spec;
  const revocations = objects.flatMap(({ spec }) => spec.revocations ?? []);
  const { epoch = '', digest = '' } = first ?? {};
  return { ...EMPTY_LEDGER, ...amountsOf(entries), epoch, digest: digest || null, entries, losses, revocations };
}

/** With its key as text: to make it anew for each comparison would be half of the work. */
interface Keyed {
  readonly key: string;
  readonly stored: PeerRecordsSpecRecord;
}

interface Placed {
  /** By number of their object, each in order of (namespace, name). The first is always there. */
  readonly chunks: ReadonlyMap<number, readonly Keyed[]>;
  /** Objects that records have to leave: nothing moves into one of these. */
  readonly crowded: ReadonlySet<number>;
}

interface Chunk {
  readonly held: Keyed[];
  bytes: number;
}

function placeEntries(entries: readonly Keyed[], before: Placement): Placed {
  const chunks = new Map<number, Chunk>([[0, { held: [], bytes: 0 }]]);
  const crowded = new Set<number>();
  const homeless: { readonly entry: Keyed; readonly isMoving: boolean }[] = [];
  for (const entry of entries) {
    const index = before.get(entry.key);
    if (index === undefined) homeless.push({ entry, isMoving: false });
    else if (!put(chunks, index, entry)) {
      crowded.add(index);
      homeless.push({ entry, isMoving: true });
    }
  }
  let first = 0;
  for (const { entry, isMoving } of homeless) {
    let index = first;
    while ((isMoving && crowded.has(index)) || !put(chunks, index, entry)) index++;
    // Full for one record is nearly full for all: those before it are not tried again and again.
    if (!isMoving) first = index;
  }
  const sorted = [...chunks].map(([index, { held }]) => [index, held.sort(compareEntries)] as const);
  return { chunks: new Map(sorted), crowded };
}

/** False when it does not fit. One record always fits into an empty object. */
function put(chunks: Map<number, Chunk>, index: number, entry: Keyed): boolean {
  const chunk = chunks.get(index) ?? { held: [], bytes: 0 };
  const { record, ...times } = entry.stored;
  const size = bytesOf(record) + TIMES_BYTES * Object.keys(times).length;
  if (chunk.bytes + size > PEER_RECORDS_CHUNK_BYTES && chunk.bytes > 0) return false;
  chunk.held.push(entry);
  chunk.bytes += size;
  chunks.set(index, chunk);
  return true;
}

function compareEntries(a: Keyed, b: Keyed): number {
  return compareText(a.key, b.key);
}

/** `,"firstSeen":"2026-11-20T12:00:00Z"`, and what stands around both. */
const TIMES_BYTES = 48;
