/** PeerRecords: where what a peer said outlives the process that heard it (DESIGN §4). Pure. */
import type { IPeerRecords } from '../api/generated/PeerRecords.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { compareText, formatKey } from '../api/object.ts';
import type { Applied } from '../api/applied.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';
import { PEER_RECORDS_CHUNK_BYTES } from './limits.ts';

/** Text of an export's key -> the number of the object that holds its record. */
export type Placement = ReadonlyMap<string, number>;

export interface RecordsPlan {
  /** In the order in which they have to be written. */
  readonly objects: readonly Applied<'PeerRecords'>[];
  /** Where the records are when all of that is written. */
  readonly placement: Placement;
}

/**
 * The objects that hold a ledger: `<peer>`, and `<peer>.<n>` for what does not fit. A peer's name has no dot, so the names of
 * two peers never meet. What a peer reports stands in the first one too, and is written apart ({@link makeReports}).
 *
 * Readers see one write after the other, and a record that is in no object counts as withdrawn. So a record stays in its object;
 * one that has to move, since its object has grown too large, is written where it goes before it leaves where it was.
 */
export function planPeerRecords(peer: string, ledger: Ledger, before: Placement): RecordsPlan {
  const entries = [...ledger.entries.values()].sort(compareEntries);
  const { chunks, crowded } = placeEntries(entries, before);
  const numbers = [...chunks.keys()].sort((a, b) => Number(crowded.has(a)) - Number(crowded.has(b)) || a - b);
  return {
    objects: numbers.map((index) => ({
      apiVersion: 'mcs.clusterlink.net/v1alpha1',
      kind: 'PeerRecords',
      metadata: { namespace: SYSTEM_NAMESPACE, name: index === 0 ? peer : `${peer}.${index}` },
      spec: {
        peer,
        epoch: ledger.epoch,
        // Of all records together, and said once: a change of one object must not be a change of all.
        digest: index === 0 ? (ledger.digest ?? '') : '',
        records: (chunks.get(index) ?? []).map(({ record, firstSeen }) => ({ record, firstSeen })),
      },
    })),
    placement: new Map(
      [...chunks].flatMap(([index, held]) => held.map(({ record }) => [formatKey(record), index] as const)),
    ),
  };
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

/** Rebuilds the ledger of one peer from its objects, in any order. */
export function ledgerOf(objects: readonly IPeerRecords[]): Ledger {
  const entries = new Map<string, LedgerEntry>();
  for (const { spec } of objects) {
    for (const { record, firstSeen } of spec.records) entries.set(formatKey(record), { record, firstSeen });
  }
  const first = objects.find(({ spec, metadata }) => metadata?.name === spec.peer)?.spec;
  return { epoch: first?.epoch ?? '', digest: first?.digest || null, entries, arriving: undefined };
}

interface Placed {
  /** By number of their object, each in order of (namespace, name). The first is always there. */
  readonly chunks: ReadonlyMap<number, readonly LedgerEntry[]>;
  /** Objects that records have to leave: nothing moves into one of these. */
  readonly crowded: ReadonlySet<number>;
}

interface Chunk {
  readonly held: LedgerEntry[];
  bytes: number;
}

function placeEntries(entries: readonly LedgerEntry[], before: Placement): Placed {
  const chunks = new Map<number, Chunk>([[0, { held: [], bytes: 0 }]]);
  const crowded = new Set<number>();
  const homeless: { readonly entry: LedgerEntry; readonly isMoving: boolean }[] = [];
  for (const entry of entries) {
    const index = before.get(formatKey(entry.record));
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
function put(chunks: Map<number, Chunk>, index: number, entry: LedgerEntry): boolean {
  const chunk = chunks.get(index) ?? { held: [], bytes: 0 };
  const size = Buffer.byteLength(JSON.stringify({ record: entry.record, firstSeen: entry.firstSeen }));
  if (chunk.bytes + size > PEER_RECORDS_CHUNK_BYTES && chunk.bytes > 0) return false;
  chunk.held.push(entry);
  chunk.bytes += size;
  chunks.set(index, chunk);
  return true;
}

function compareEntries(a: LedgerEntry, b: LedgerEntry): number {
  return compareText(formatKey(a.record), formatKey(b.record));
}
