/** Exports that a rule may select, with the age that counts, indexed by who offers them. */
import { compareText } from '../api/object.ts';
import { formatSource, type ExportRecord, type SourceKey } from '../api/record.ts';
import type { MergeInput, MergePeer } from './types.ts';

/** One export on its way into an import. */
export interface Candidate {
  readonly source: SourceKey;
  /** `peer/namespace/name` */
  readonly text: string;
  readonly record: ExportRecord;
  /** Milliseconds since the epoch, for precedence. */
  readonly bornMs: number;
}

export interface PeerCandidates {
  readonly peer: MergePeer;
  readonly byNamespace: ReadonlyMap<string, readonly Candidate[]>;
}

/** Peers in order of name; each candidate once, whatever the order of the input. */
export function indexCandidates({ peers, records }: Pick<MergeInput, 'peers' | 'records'>): PeerCandidates[] {
  const recordsByPeer = Map.groupBy(records, ({ peer }) => peer);
  return [...new Map(peers.map((peer) => [peer.name, peer])).values()]
    .sort((a, b) => compareText(a.name, b.name))
    .map((peer) => {
      const candidates = (recordsByPeer.get(peer.name) ?? []).map(({ record }) => toCandidate(peer, record));
      // Of two records for one export the later wins: it was created again, and its withdrawal is still on the way.
      const byText = new Map(candidates.sort(compareUpdates).map((candidate) => [candidate.text, candidate]));
      return { peer, byNamespace: Map.groupBy(byText.values(), ({ source }) => source.namespace) };
    });
}

/** By peer, then namespace, then name: part by part, since '-' sorts before the '/' of the joined text. */
export function compareSources(a: SourceKey, b: SourceKey): number {
  return compareText(a.peer, b.peer) || compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}

/**
 * A peer that claims an old date must not take over what others agreed on, so that no export is older here than the local
 * Peer object that admits it (CFL-09). A date that cannot be read is the newest.
 */
function toCandidate(peer: MergePeer, record: ExportRecord): Candidate {
  const source = { peer: peer.name, namespace: record.namespace, name: record.name };
  const bornMs = Math.max(toMs(record.createdAt), toMs(peer.createdAt));
  return { source, text: formatSource(source), record, bornMs };
}

function toMs(timestamp: string): number {
  const ms = Date.parse(timestamp);
  return Number.isNaN(ms) ? Number.MAX_SAFE_INTEGER : ms;
}

function compareUpdates(a: Candidate, b: Candidate): number {
  return a.bornMs - b.bornMs || compareText(a.record.uid, b.record.uid);
}
