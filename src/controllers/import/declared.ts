/**
 * Records of peers that tell none: what their Peer objects here declare (annotation `mcs.clusterlink.net/exports`). Pure.
 *
 * To rules they are records like others, there for as long as the annotation says so. Where the peer tells a record of its own
 * for the same export, that one counts.
 */
import { parseDeclaredExports, type DeclaredExport } from '../../api/declared-exports.ts';
import type { IPeer } from '../../api/generated/Peer.ts';
import { ANNOTATIONS } from '../../api/names.ts';
import { formatSource } from '../../api/record.ts';
import type { MergeRecord } from '../../merge/types.ts';

export interface DeclaredInput {
  readonly peers: readonly IPeer[];
  readonly self: string;
  readonly told: readonly MergeRecord[];
  /** RFC 3339: for Peers of which nobody said when they were made. */
  readonly now: string;
}

export function declaredRecords({ peers, self, told, now }: DeclaredInput): MergeRecord[] {
  const known = new Set(told.map(({ peer, record }) => formatSource({ peer, ...record })));
  return peers.flatMap(({ metadata }) => {
    const peer = metadata?.name ?? '';
    const parsed = parseDeclaredExports(metadata?.annotations?.[ANNOTATIONS.exports] ?? '');
    // A wrong annotation declares nothing; who wrote it is told (declarationProblem).
    if (!parsed.ok || peer === self) return [];
    return parsed.exports
      .map((declared) => toRecord(peer, declared, metadata?.creationTimestamp ?? now))
      .filter(({ record }) => !known.has(formatSource({ peer, ...record })));
  });
}

/** What is wrong with the annotation, for people; undefined: nothing, or there is none. */
export function declarationProblem({ metadata }: IPeer): string | undefined {
  const text = metadata?.annotations?.[ANNOTATIONS.exports];
  const parsed = text === undefined ? undefined : parseDeclaredExports(text);
  return parsed === undefined || parsed.ok
    ? undefined
    : `metadata.annotations["${ANNOTATIONS.exports}"]: ${parsed.message}. Nothing is declared. Fix: ${parsed.fix}`;
}

/** Nobody counted its endpoints: one, so that it is usable as far as its peer can be reached. */
function toRecord(peer: string, { namespace, name, port }: DeclaredExport, createdAt: string): MergeRecord {
  return {
    peer,
    record: {
      namespace,
      name,
      uid: 'declared',
      type: 'ClusterSetIP',
      ports: [{ name: '', protocol: 'TCP', port }],
      createdAt,
      readyEndpoints: 1,
    },
  };
}
