/** How the peers of the fabric stand, as this one sees it: for `status --fabric`. */
import { findCondition } from '../../api/conditions.ts';
import type { IPeer } from '../../api/generated/Peer.ts';
import type { IPeerRecords } from '../../api/generated/PeerRecords.ts';
import { compareText, formatKey } from '../../api/object.ts';
import type { Control } from '../../gateway/control.ts';
import type { CachesOf } from '../../store/caches.ts';

export interface FabricReport {
  readonly peer: string;
  readonly version: string;
  /** RFC 3339. */
  readonly certificateExpires: string;
  /** Its own certificate was revoked: others refuse it. */
  readonly revoked: boolean;
  /** By name. */
  readonly peers: readonly FabricPeer[];
}

export interface FabricPeer {
  readonly name: string;
  readonly reachable: boolean;
  /** RFC 3339: since when it is, or is not; empty while nobody has said so yet. */
  readonly since: string;
  /** Why it is not reachable. */
  readonly reason: string;
  readonly message: string;
  /** Empty while there is no session. */
  readonly version: string;
  /** RFC 3339, of the certificate in its session; empty while there is none. */
  readonly certificateExpires: string;
  readonly records: number;
  /**
   * How old they may be, in seconds: 0 while there is a session, over which changes come at once, and the peer confirms them over
   * it; else since it last did, or since the session was lost. null: it has never said all of them.
   */
  readonly recordsAgeSeconds: number | null;
  /** {@link alarmsOf} */
  readonly alarms: readonly string[];
  /** `import: source reasons` of exports of its here, and `export: reasons` of exports of ours there. */
  readonly conflicts: readonly string[];
}

export interface FabricInput {
  readonly peer: string;
  readonly version: string;
  readonly certificateExpires: string;
  readonly caches: CachesOf<'ImportBinding' | 'Peer' | 'PeerRecords'>;
  readonly control: Pick<Control, 'peer'> & Partial<Pick<Control, 'isRevoked'>>;
  /** When a peer last confirmed its records; undefined: this replica is not the one that is told. */
  confirmedMs(peer: string): number | undefined;
  readonly nowMs: number;
}

/** Two heart beats (`DIGEST_INTERVAL_MS`): one may be on its way. */
const CONFIRMED_FRESH_MS = 20_000;
/** Conflicts of one peer that are listed: `status -o wide` and the objects have the others. */
const CONFLICTS_LISTED_MAX = 20;

/** Conditions of a Peer that are bad news when they are true. */
const ALARMS: ReadonlySet<string> = new Set(['RecordsHeld', 'DuplicatePeer', 'LimitNear']);

export function makeFabricReport(input: FabricInput): FabricReport {
  const { peer, version, certificateExpires, caches } = input;
  const recordsByPeer = Map.groupBy(caches.PeerRecords.list(), ({ spec }) => spec.peer);
  const peers = caches.Peer.list()
    .map((object) => {
      const name = object.metadata?.name ?? '';
      const reachability = findCondition(object.status?.conditions, 'PeerReachable');
      return reportPeer(input, {
        name,
        reachability,
        alarms: alarmsOf(object),
        records: recordsByPeer.get(name) ?? [],
      });
    })
    .sort((a, b) => compareText(a.name, b.name));
  return { peer, version, certificateExpires, revoked: input.control.isRevoked ?? false, peers };
}

/** What is wrong with a peer apart from its sessions: `RecordsHeld: message`, for each such condition. */
export function alarmsOf({ status }: IPeer): string[] {
  return (status?.conditions ?? [])
    .filter((condition) => ALARMS.has(condition.type) && condition.status === 'True')
    .map(({ type, message }) => `${type}: ${message}`);
}

interface Known {
  readonly name: string;
  readonly reachability: ReturnType<typeof findCondition>;
  readonly alarms: readonly string[];
  readonly records: readonly IPeerRecords[];
}

function reportPeer(
  { caches, control, confirmedMs, nowMs }: FabricInput,
  { name, reachability, alarms, records }: Known,
): FabricPeer {
  const observation = control.peer(name);
  const reachable = observation?.version !== undefined;
  // The condition is written a moment after the session: the other one's time is not this one's.
  const isWritten = reachability?.status === (reachable ? 'True' : 'False');
  const since = isWritten ? reachability.lastTransitionTime : '';
  const lostMs = since === '' ? nowMs : Date.parse(since);
  const isComplete = records.some(({ spec }) => spec.digest !== '');
  const unconfirmedMs = nowMs - (confirmedMs(name) ?? nowMs);
  const sinceConfirmedMs = unconfirmedMs <= CONFIRMED_FRESH_MS ? 0 : unconfirmedMs;
  const ageSeconds = Math.max(0, Math.round((reachable ? sinceConfirmedMs : nowMs - lostMs) / 1000));
  return {
    name,
    reachable,
    since,
    reason: observation?.reason ?? '',
    message: observation?.message ?? '',
    version: observation?.version ?? '',
    certificateExpires: observation?.certificateExpires ?? '',
    records: records.reduce((sum, { spec }) => sum + spec.records.length, 0),
    recordsAgeSeconds: isComplete ? ageSeconds : null,
    alarms,
    conflicts: conflictsOf(name, caches, records).slice(0, CONFLICTS_LISTED_MAX),
  };
}

function conflictsOf(name: string, caches: FabricInput['caches'], records: readonly IPeerRecords[]): string[] {
  const here = caches.ImportBinding.list().flatMap(({ spec }) =>
    (spec.verdicts ?? [])
      .filter(({ peer, reasons }) => peer === name && reasons.length > 0)
      .map((verdict) => `${formatKey(spec.import)}: ${name}/${formatKey(verdict)} ${verdict.reasons.join(',')}`),
  );
  const there = records.flatMap(({ spec }) =>
    (spec.report?.conflicts ?? []).map((conflict) => `${formatKey(conflict)}: ${conflict.reasons.join(',')} there`),
  );
  return [...here.sort(compareText), ...there.sort(compareText)];
}
