/**
 * All workers replaced, and no connection cut. The order is the point of it:
 *
 *   new ones serve ─▶ they have the sessions that they can dial ─▶ old ones take no peers, and tell them to dial anew
 *   ─▶ new ones have those sessions too ─▶ old ones close the listeners of imports ─▶ they end with their last connection
 */
import type { Logger } from '../../runtime/log.ts';
import type { GatewaySnapshot } from '../messages.ts';
import { HAND_OVER_QUIET_MS, HAND_OVER_WAIT_MS } from './limits.ts';
import type { Member } from './member.ts';
import type { Signal } from './signal.ts';

export interface HandOverOptions {
  readonly old: readonly Member[];
  readonly next: readonly Member[];
  readonly snapshot: () => GatewaySnapshot | undefined;
  /** How long connections of the old ones may go on. */
  readonly drainMs: number;
  /** Told when a worker sees peers otherwise than before. */
  readonly changed: Signal;
  readonly abort: AbortSignal;
  readonly logger: Logger;
  /** It takes no peers any more: what it carries for the exchange goes to others. */
  onRetired(member: Member): void;
}

/** @throws what the start of a worker threw: then the old ones go on, and the new ones end, those that serve with their last connection. */
export async function handOver(options: HandOverOptions): Promise<void> {
  const { old, next, snapshot, drainMs, onRetired } = options;
  try {
    await Promise.all(next.map(({ ready }) => ready));
  } catch (error) {
    for (const member of next) release(member, drainMs);
    throw error;
  }
  const dialled = new Set(
    snapshot()
      ?.peers.filter(({ gateways }) => gateways.length > 0)
      .map(({ name }) => name),
  );
  await whenTaken(options, ({ peer }) => peer !== undefined && dialled.has(peer));
  for (const member of old) {
    member.post({ kind: 'retire', deadlineMs: drainMs });
    onRetired(member);
  }
  // A session comes before the listeners of the imports that it brings.
  await whenTaken(options, () => true);
  for (const member of old) release(member, drainMs);
}

/** Others serve in its place. */
function release(member: Member, drainMs: number): void {
  // It has nothing to hand over, and nothing is cut.
  if (member.state === 'loading') member.end();
  else member.leave({ kind: 'drain', deadlineMs: drainMs, quietMs: HAND_OVER_QUIET_MS, replaced: true });
}

/** The new ones have what the old ones have, or the time is over. */
async function whenTaken(
  options: HandOverOptions,
  isMeant: (one: { readonly peer?: string; readonly listener?: string }) => boolean,
): Promise<void> {
  const { old, next, changed, abort, logger } = options;
  const wanted = offersOf(old).filter(isMeant);
  const deadline = AbortSignal.any([abort, AbortSignal.timeout(HAND_OVER_WAIT_MS)]);
  for (;;) {
    const present = new Set(offersOf(next).map((one) => JSON.stringify(one)));
    const missing = wanted.filter((one) => !present.has(JSON.stringify(one)));
    if (missing.length === 0) return;
    if (deadline.aborted)
      return logger.warn({ missing: missing.length, of: missing[0] }, 'New workers do not have all yet');
    await changed.next(deadline);
  }
}

/** The peers that any of them has a session with, and the listeners of imports that any of them has open. */
function offersOf(members: readonly Member[]): readonly { readonly peer?: string; readonly listener?: string }[] {
  return members.flatMap(({ sight }) => [
    ...[...sight.peers.values()].flatMap(({ name, version }) => (version === undefined ? [] : [{ peer: name }])),
    ...[...sight.imports.values()].flatMap(({ listeners }) =>
      listeners.flatMap(({ address, port, state }) =>
        state === 'Listening' ? [{ listener: `${address}:${port}` }] : [],
      ),
    ),
  ]);
}
