/**
 * What peers say of our exports, on its way into PeerRecords (`spec.report`).
 *
 * A peer says it to whichever replica it talks to, and that replica writes it: under one field manager for all replicas,
 * apart from the records, so that neither overwrites the other and no change of the leader loses it. The report of the latest
 * `receivedAt` stands, and a replica that has heard an earlier one gives way: two replicas never argue.
 */
import { isDeepStrictEqual } from 'node:util';
import type { IPeerRecords, PeerRecordsSpec, PeerRecordsSpecReport } from '../api/generated/PeerRecords.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { formatKey, type ObjectKey } from '../api/object.ts';
import type { ExportRecord } from '../api/record.ts';
import { toTimestamp } from '../api/timestamp.ts';
import type { Store } from '../store/store.ts';
import type { PeerReport } from './server.ts';

/** The field manager of reports; frozen, since it names ownership in stored objects. */
export const REPORT_MANAGER = 'clusterlink-mcs-gateway-reports';

type Said = Pick<PeerReport, 'conflicts' | 'imports'>;

export interface ReportsOptions {
  readonly store: Store;
  /** The first of a peer's PeerRecords, which carries the report. */
  stored(peer: string): IPeerRecords | undefined;
  /** What this peer may see of ours now. */
  visibleTo(peer: string): readonly ExportRecord[];
  /** There is something to write for this peer. */
  onDue(peer: string): void;
  nowMs(): number;
}

export interface Reports {
  /** A peer has said this, just now, to this replica. */
  keep(peer: string, said: Said): void;
  /** Some peers may see less than before: what they may not see is not their business any more. */
  filter(peers: Iterable<string>): void;
  /** Writes what is due for one peer, if anything is. */
  write(peer: string): Promise<void>;
  forget(peer: string): void;
}

export function makeReports({ store, stored, visibleTo, onDue, nowMs }: ReportsOptions): Reports {
  /** What this replica has heard, until another has heard something later. */
  const held = new Map<string, PeerRecordsSpecReport>();
  /** Peers whose stored report is to be looked at, although another replica has heard it. */
  const filtered = new Set<string>();

  const reportOf = (peer: string): PeerRecordsSpecReport | undefined => stored(peer)?.spec.report;

  /** What is to stand; undefined when what is stored is right. */
  function desired(peer: string): PeerRecordsSpecReport | undefined {
    const mine = held.get(peer);
    const present = reportOf(peer);
    if (present === undefined) return mine;
    const isLater = mine !== undefined && mine.receivedAt >= present.receivedAt;
    if (!isLater) {
      held.delete(peer);
      if (!filtered.delete(peer)) return undefined;
      const next = filterReport(present, visibleTo(peer));
      return isSame(next, present) ? undefined : { receivedAt: present.receivedAt, ...next };
    }
    if (isSame(mine, present)) return undefined;
    if (mine.receivedAt > present.receivedAt) return mine;
    // Two of one second: whoever has heard the peer itself wins, and the next one has to be later.
    const later = { ...mine, receivedAt: toTimestamp(Date.parse(mine.receivedAt) + 1_000) };
    held.set(peer, later);
    return later;
  }

  return {
    keep(peer, said) {
      const present = held.get(peer) ?? reportOf(peer);
      const next = filterReport(said, visibleTo(peer));
      if (isSame(next, present)) return;
      // Never before what it replaces, though the clocks of replicas differ: RFC 3339 in UTC sorts as text.
      const [receivedAt = ''] = [toTimestamp(nowMs()), present?.receivedAt ?? ''].sort().reverse();
      held.set(peer, { receivedAt, ...next });
      onDue(peer);
    },
    filter(peers) {
      for (const peer of peers) {
        const mine = held.get(peer);
        if (mine !== undefined) held.set(peer, { ...mine, ...filterReport(mine, visibleTo(peer)) });
        const present = reportOf(peer);
        if (present === undefined || isSame(filterReport(present, visibleTo(peer)), present)) continue;
        filtered.add(peer);
        onDue(peer);
      }
    },
    async write(peer) {
      const object = stored(peer);
      // The leader makes the object; then this replica is asked again.
      if (object === undefined) return;
      const report = desired(peer);
      if (report === undefined) return;
      const { apiVersion, metadata } = object;
      await store.apply(
        {
          apiVersion,
          kind: 'PeerRecords',
          // With its uid: an object that has gone meanwhile must not be made of a report alone.
          metadata: {
            namespace: SYSTEM_NAMESPACE,
            name: peer,
            ...(metadata?.uid === undefined ? {} : { uid: metadata.uid }),
          },
          // Of the spec this field alone is ours: what is left out is the leader's.
          spec: { report } as PeerRecordsSpec,
        },
        { fieldManager: REPORT_MANAGER, force: true },
      );
    },
    forget(peer) {
      held.delete(peer);
      filtered.delete(peer);
    },
  };
}

function isSame(a: Said, b: Said | undefined): boolean {
  return b !== undefined && isDeepStrictEqual({ c: a.conflicts, i: a.imports }, { c: b.conflicts, i: b.imports });
}

/** Only what we offer to a peer can be reported on by it: nothing else of ours is its business. */
function filterReport(
  { conflicts, imports }: Said,
  offered: readonly ObjectKey[],
): Omit<PeerRecordsSpecReport, 'receivedAt'> {
  const visible = new Set(offered.map(formatKey));
  const isVisible = (key: ObjectKey): boolean => visible.has(formatKey(key));
  return {
    conflicts: conflicts.filter(isVisible).map(({ reasons, ...conflict }) => ({ ...conflict, reasons: [...reasons] })),
    imports: imports.filter(isVisible).map((key) => ({ ...key })),
  };
}
