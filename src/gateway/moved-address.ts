/** Whether sessions still lead where the name of their gateway leads. Pure: who looks it up, and when, is the caller's. */
import { NAME_STABLE_MS, RESOLVE_MISSES_MAX, RESOLVE_MISSES_MIN } from './limits.ts';

/** A session that was dialled by name. */
export interface Dialled<Session> {
  readonly session: Session;
  /** Which of the name's addresses it was. */
  readonly address: string;
}

export interface MovedAddress<Session> {
  /**
   * One look at the name.
   *
   * @param answers - what it resolves to now; undefined when nobody said, which says nothing of a session: absence is not deletion.
   * @returns the sessions that are to be replaced: their address was missing from several answers in a row.
   */
  look(answers: readonly string[] | undefined, dialled: readonly Dialled<Session>[], nowMs: number): readonly Session[];
}

/**
 * A name that answers something else each time, as those of large load balancers do, would have sessions replaced for ever:
 * each replacement that follows another one soon doubles the number of misses that the next one needs.
 */
export function makeMovedAddress<Session extends object>(): MovedAddress<Session> {
  const misses = new WeakMap<Session, number>();
  let missesNeeded = RESOLVE_MISSES_MIN;
  let lastMoveMs = -Infinity;

  function countMove(nowMs: number): void {
    const isRestless = nowMs - lastMoveMs < NAME_STABLE_MS;
    missesNeeded = isRestless ? Math.min(RESOLVE_MISSES_MAX, missesNeeded * 2) : RESOLVE_MISSES_MIN;
    lastMoveMs = nowMs;
  }

  return {
    look(answers, dialled, nowMs) {
      if (answers === undefined || answers.length === 0) return [];
      const moved: Session[] = [];
      for (const { session, address } of dialled) {
        const count = answers.includes(address) ? 0 : (misses.get(session) ?? 0) + 1;
        misses.set(session, count);
        if (count >= missesNeeded) moved.push(session);
      }
      if (moved.length > 0) countMove(nowMs);
      return moved;
    },
  };
}
