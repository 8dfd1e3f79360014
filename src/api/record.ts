/** What a peer tells another about one export; the schema is PeerRecords'. */
import type { PeerRecordsSpecRecordRecord } from './generated/PeerRecords.ts';

export type ExportRecord = PeerRecordsSpecRecordRecord;

/** One export of one peer: the identity of everything that crosses peers. */
export interface SourceKey {
  readonly peer: string;
  readonly namespace: string;
  readonly name: string;
}

/** `peer/namespace/name`: for maps, logs and messages. */
export function formatSource({ peer, namespace, name }: SourceKey): string {
  return `${peer}/${namespace}/${name}`;
}
