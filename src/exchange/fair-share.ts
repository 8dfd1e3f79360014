/** What a peer is told where all that it may see is more than it takes: nobody's exports push out those of another namespace. Pure. */
import { compareText, formatKey } from '../api/object.ts';
import type { ExportRecord } from '../api/record.ts';
import { bytesOf } from './ledger.ts';
import { NAMESPACES_PER_PEER_MAX, RECORDS_BYTES_PER_PEER_MAX, RECORDS_PER_PEER_MAX } from './limits.ts';

export interface FairShare {
  /** In the order they were given. */
  readonly told: readonly ExportRecord[];
  /** How many are kept back. */
  readonly leftOut: number;
}

/**
 * An importer that is told more than its bounds ends the exchange, and would hear of no export any more: whoever may create exports
 * in one namespace could take all others from it.
 *
 * Namespaces share by what their exports take of the bounds, number or bytes, whichever is more, each with its oldest first: those
 * that need less than an equal part keep all. Of too many namespaces those that have exported longest are told.
 */
export function shareFairly(records: readonly ExportRecord[]): FairShare {
  const byNamespace = Map.groupBy(records, ({ namespace }) => namespace);
  const bytes = records.reduce((sum, record) => sum + bytesOf(record), 0);
  const fits =
    records.length <= RECORDS_PER_PEER_MAX &&
    bytes <= RECORDS_BYTES_PER_PEER_MAX &&
    byNamespace.size <= NAMESPACES_PER_PEER_MAX;
  if (fits) return { told: records, leftOut: 0 };
  const told = new Set(takeWhileFits(rankByShare([...byNamespace.values()])));
  return { told: records.filter((record) => told.has(record)), leftOut: records.length - told.size };
}

/** In the order in which they would be told if each namespace in turn could add one, whoever has taken least. */
function rankByShare(namespaces: readonly (readonly ExportRecord[])[]): ExportRecord[] {
  const oldestFirst = namespaces
    .map((records) => [...records].sort(compareAge))
    .sort(([a], [b]) => (a === undefined || b === undefined ? 0 : compareAge(a, b)))
    .slice(0, NAMESPACES_PER_PEER_MAX);
  const ranked = oldestFirst.flatMap((records) => {
    let share = 0;
    return records.map((record) => {
      share += Math.max(1 / RECORDS_PER_PEER_MAX, bytesOf(record) / RECORDS_BYTES_PER_PEER_MAX);
      return { record, share };
    });
  });
  return ranked.sort((a, b) => a.share - b.share || compareAge(a.record, b.record)).map(({ record }) => record);
}

/** Equal age: by name, so that every replica tells the same. */
function compareAge(a: ExportRecord, b: ExportRecord): number {
  return compareText(a.createdAt, b.createdAt) || compareText(formatKey(a), formatKey(b));
}

function takeWhileFits(ranked: readonly ExportRecord[]): ExportRecord[] {
  let bytes = 0;
  const end = ranked.slice(0, RECORDS_PER_PEER_MAX).findIndex((record) => {
    bytes += bytesOf(record);
    return bytes > RECORDS_BYTES_PER_PEER_MAX;
  });
  return ranked.slice(0, end === -1 ? RECORDS_PER_PEER_MAX : end);
}
