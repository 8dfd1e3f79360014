/** PeerRecords: where what a peer said outlives the process that heard it (DESIGN §4). Pure. */
import type { IPeerRecords } from '../api/generated/PeerRecords.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { compareText, formatKey } from '../api/object.ts';
import type { Applied } from '../api/applied.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';
import { PEER_RECORDS_CHUNK_BYTES } from './limits.ts';

/**
 * The objects that hold a ledger: `<peer>`, and `<peer>.<n>` for what does not fit. A peer's name has no dot, so the names of
 * two peers never meet. What a peer reports stands in the first one too, and is written apart ({@link makeReports}).
 */
export function desiredPeerRecords(peer: string, ledger: Ledger): Applied<'PeerRecords'>[] {
  const entries = [...ledger.entries.values()].sort((a, b) => compareText(formatKey(a.record), formatKey(b.record)));
  const chunks = splitChunks(entries);
  return chunks.map((records, index) => ({
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'PeerRecords',
    metadata: { namespace: SYSTEM_NAMESPACE, name: index === 0 ? peer : `${peer}.${index}` },
    spec: {
      peer,
      epoch: ledger.epoch,
      digest: ledger.digest ?? '',
      records: records.map(({ record, firstSeen }) => ({ record, firstSeen })),
    },
  }));
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

function splitChunks(entries: readonly LedgerEntry[]): LedgerEntry[][] {
  const chunks: LedgerEntry[][] = [[]];
  let bytes = 0;
  for (const entry of entries) {
    const size = Buffer.byteLength(JSON.stringify({ record: entry.record, firstSeen: entry.firstSeen }));
    if (bytes + size > PEER_RECORDS_CHUNK_BYTES && bytes > 0) {
      chunks.push([]);
      bytes = 0;
    }
    chunks.at(-1)?.push(entry);
    bytes += size;
  }
  return chunks;
}
