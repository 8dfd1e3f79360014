/**
 * Records that a peer does not name any more and that are still in force: for a moment each, and for longer when they are many
 * (DESIGN §6). Pure: what is lost, by key, against time.
 *
 *   unnamed by a snapshot --5 s------------------> gone
 *   withdrawn --1 s without another, or 5 s------> gone
 *        \--- many within 5 s ---> held --5 min, or confirmed---> gone
 *                                    \--- a few, and the peer names something new---> gone
 */
import { toTimestamp } from '../api/timestamp.ts';
import { LOSS_HOLD_MS, LOSS_UNHELD_MAX } from '../runtime/limits.ts';
import { isMassLoss } from '../runtime/mass-loss.ts';
import { ABSENCE_GRACE_MS, MASS_RECORDS_MIN, WITHDRAWAL_QUIET_MS } from './limits.ts';

export interface Loss {
  /** Milliseconds since the epoch of time. */
  readonly sinceMs: number;
  readonly how: 'unnamed' | 'withdrawn';
  /** Set while it is held: since when, in whole seconds, so that it is the same after it was written down. */
  readonly heldSinceMs?: number;
}

export type Losses = ReadonlyMap<string, Loss>;

/** What is held of one peer. */
export interface Hold {
  /** RFC 3339: when the latest loss that is held began. Names this hold: what is confirmed by it was held then or before. */
  readonly since: string;
  /** RFC 3339: when the last of it is let go. */
  readonly until: string;
  readonly records: number;
}

export function holdOf(losses: Losses): Hold | undefined {
  let records = 0;
  let sinceMs = 0;
  for (const { heldSinceMs } of losses.values()) {
    if (heldSinceMs === undefined) continue;
    records++;
    sinceMs = Math.max(sinceMs, heldSinceMs);
  }
  if (records === 0) return undefined;
  return { since: toTimestamp(sinceMs), until: toTimestamp(sinceMs + LOSS_HOLD_MS), records };
}

export interface MassInput {
  readonly losses: Losses;
  /** Of what has gone already, the losses of late. */
  readonly gone: Losses;
  /** Records that the peer names. */
  readonly named: number;
}

/**
 * The latest losses, of a few seconds, when they are many; those that have gone among them. Undefined when they are few.
 *
 * A few count only as one burst, and two not at all: who takes back one export and then the other means both, and so do two who do
 * not know of each other.
 */
export function findMass({ losses, gone, named }: MassInput): Losses | undefined {
  const fromMs = latestMs(losses, () => true) - ABSENCE_GRACE_MS;
  const recent = [...gone, ...losses].filter(([, { sinceMs }]) => sinceMs >= fromMs);
  const counted = recent.length > LOSS_UNHELD_MAX ? recent : latestBurst(recent);
  const isMass = counted.length >= MASS_RECORDS_MIN && isMassLoss(counted.length, named + counted.length);
  return isMass ? new Map(counted) : undefined;
}

/** Back from the latest, until there was a pause that a withdrawal waits for. */
function latestBurst(recent: readonly (readonly [string, Loss])[]): (readonly [string, Loss])[] {
  const burst: (readonly [string, Loss])[] = [];
  for (const one of recent.toSorted(([, a], [, b]) => b.sinceMs - a.sinceMs)) {
    const [, { sinceMs }] = one;
    const next = burst.at(-1)?.[1].sinceMs ?? sinceMs;
    if (next - sinceMs > WITHDRAWAL_QUIET_MS) break;
    burst.push(one);
  }
  return burst;
}

/** Holds these, and all that is lost already. Those that are held stay so for their own time. */
export function holdAll(lost: Losses, nowMs: number): Losses {
  const heldSinceMs = Math.floor(nowMs / 1_000) * 1_000;
  return new Map([...lost].map(([key, loss]) => [key, { heldSinceMs, ...loss }]));
}

/**
 * Keys of a few that were withdrawn and are held for one reason: that nothing was left. Whoever then names something new has not
 * lost its state. What a snapshot left out stays held, and so does what was held before a restart of ours.
 *
 * @param named - records that the peer named besides, before the new one.
 */
export function fewThatWereAll(losses: Losses, named: number): string[] {
  if (named > 0) return [];
  const held = [...losses].filter(([, { heldSinceMs }]) => heldSinceMs !== undefined);
  const isFew = held.length <= LOSS_UNHELD_MAX && held.every(([, loss]) => isWithdrawal(loss));
  return isFew ? held.map(([key]) => key) : [];
}

/** Keys of what is to go now. */
export function dueKeys(losses: Losses, nowMs: number): string[] {
  const quietFromMs = latestMs(losses, isWithdrawal) + WITHDRAWAL_QUIET_MS;
  return [...losses].flatMap(([key, loss]) => (dueMsOf(loss, quietFromMs) <= nowMs ? [key] : []));
}

/** When {@link dueKeys} has something next; undefined when nothing is lost. */
export function nextDueMs(losses: Losses): number | undefined {
  const quietFromMs = latestMs(losses, isWithdrawal) + WITHDRAWAL_QUIET_MS;
  let dueMs: number | undefined;
  for (const loss of losses.values()) dueMs = Math.min(dueMs ?? Infinity, dueMsOf(loss, quietFromMs));
  return dueMs;
}

/** A clock that was set back, or that of a leader before which ran ahead, must not hold anything for longer: time begins anew. */
export function restamp(losses: Losses, nowMs: number): Losses {
  if ([...losses.values()].every(({ sinceMs, heldSinceMs = 0 }) => Math.max(sinceMs, heldSinceMs) <= nowMs))
    return losses;
  const nowSecondMs = Math.floor(nowMs / 1_000) * 1_000;
  return new Map(
    [...losses].map(([key, { sinceMs, how, heldSinceMs }]) => [
      key,
      {
        sinceMs: Math.min(sinceMs, nowMs),
        how,
        ...(heldSinceMs === undefined ? {} : { heldSinceMs: Math.min(heldSinceMs, nowSecondMs) }),
      },
    ]),
  );
}

function dueMsOf({ sinceMs, how, heldSinceMs }: Loss, quietFromMs: number): number {
  if (heldSinceMs !== undefined) return heldSinceMs + LOSS_HOLD_MS;
  return how === 'unnamed' ? sinceMs + ABSENCE_GRACE_MS : Math.min(sinceMs + ABSENCE_GRACE_MS, quietFromMs);
}

const isWithdrawal = ({ how }: Loss): boolean => how === 'withdrawn';

function latestMs(losses: Losses, counts: (loss: Loss) => boolean): number {
  let latest = -Infinity;
  for (const loss of losses.values()) if (counts(loss)) latest = Math.max(latest, loss.sinceMs);
  return latest;
}
