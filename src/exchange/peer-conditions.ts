/** What the exchange says of a peer in the status of its Peer object. Pure. */
import { findCondition, type ConditionDraft } from '../api/conditions.ts';
import { ANNOTATIONS } from '../api/names.ts';
import type { Condition } from '../api/object.ts';
import type { LedgerLimit } from './ledger.ts';
import { DUPLICATE_QUIET_MS, LIMIT_NEAR_RATIO } from './limits.ts';
import type { Hold } from './losses.ts';

/** How much of each bound a peer uses, from 0 to 1; 1 also for one beyond which it tried to go. */
export type Usage = Readonly<Record<LedgerLimit, number>>;

export interface PeerConditionsInput {
  readonly peer: string;
  readonly hold: Hold | undefined;
  /** Of installations that claim its name at once; empty when there is one. */
  readonly duplicates: readonly string[];
  readonly usage: Usage;
  readonly present: readonly Condition[] | undefined;
  readonly observedGeneration: number;
}

const FINE: Readonly<Record<string, string>> = {
  RecordsHeld: 'NothingHeld',
  DuplicatePeer: 'OneInstallation',
  LimitNear: 'WithinLimits',
};

/** Those that are true, and those that were and are not any more: of a peer that is fine nothing is said. */
export function desiredPeerConditions(input: PeerConditionsInput): ConditionDraft[] {
  const { present, observedGeneration } = input;
  const alarms = new Map(
    [describeHold(input), describeDuplicates(input), describeLimits(input)].flat().map((one) => [one.type, one]),
  );
  return Object.entries(FINE).flatMap(([type, reason]): ConditionDraft[] => {
    const alarm = alarms.get(type);
    if (alarm !== undefined) return [{ ...alarm, status: 'True', observedGeneration }];
    if (findCondition(present, type) === undefined) return [];
    return [{ type, status: 'False', reason, message: '', observedGeneration }];
  });
}

type Alarm = Pick<ConditionDraft, 'type' | 'reason' | 'message'>;

function describeHold({ peer, hold }: PeerConditionsInput): Alarm[] {
  if (hold === undefined) return [];
  const { records, since, until } = hold;
  const message =
    `${records} records that it does not name any more are kept as they were, since ${since} and until ${until} at the latest. ` +
    `Fix: put its exports back; if they were meant to go: npx clusterlink-mcs accept-loss ${peer}, ` +
    `or annotate this Peer with ${ANNOTATIONS.acceptLoss}=${since}.`;
  return [{ type: 'RecordsHeld', reason: 'MassLoss', message }];
}

function describeDuplicates({ peer, duplicates }: PeerConditionsInput): Alarm[] {
  if (duplicates.length === 0) return [];
  const message =
    `Installations ${duplicates.join(' and ')} both claim to be ${peer}: its records stay as they are until only one of them was ` +
    `there for ${DUPLICATE_QUIET_MS / 1_000} s. Fix: stop one of them, or give it a name and a certificate of its own.`;
  return [{ type: 'DuplicatePeer', reason: 'TwoInstallations', message }];
}

function describeLimits({ usage }: PeerConditionsInput): Alarm[] {
  const near = Object.entries(usage).filter(([, ratio]) => ratio >= LIMIT_NEAR_RATIO);
  if (near.length === 0) return [];
  const isReached = near.some(([, ratio]) => ratio >= 1);
  // In whole tenths: a message that changes with every record would be a write with every record.
  const list = near.map(([limit, ratio]) => `${limit} ${Math.min(100, Math.floor(ratio * 10) * 10)} %`).join(', ');
  const message =
    `Of what is taken from one peer it uses: ${list}. What is beyond is refused, and what was known stays. ` +
    'Fix: have its owner export less to this peer; the numbers are in docs/LIMITS.md.';
  return [{ type: 'LimitNear', reason: isReached ? 'LimitReached' : 'LimitNear', message }];
}
