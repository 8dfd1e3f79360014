/** A folder that is emptied by mistake must not take everything down: objects that go in a mass are held for a while. */
import { LOSS_HOLD_MS } from '../../runtime/limits.ts';
import { isMassLoss } from '../../runtime/mass-loss.ts';

export interface LossHold {
  /**
   * Tells which objects are kept although no file declares them.
   *
   * @param missing - ids of objects that are away now, of `present` that there are.
   * @param nowMs - monotonic.
   */
  look(missing: readonly string[], present: number, nowMs: number): ReadonlySet<string>;
  /** What is held now was meant to go, as somebody confirms; what goes later is looked at anew. Gives how many these are. */
  accept(): number;
}

/**
 * What was held once stays held until it is declared again, or its time is over: while a folder is restored file by file, the
 * rest must not go because it has become few.
 */
export function makeLossHold(): LossHold {
  let untilMs = new Map<string, number>();
  let held: ReadonlySet<string> = new Set();
  return {
    look(missing, present, nowMs) {
      const isMass = isMassLoss(missing.length, present);
      const next = new Map<string, number>();
      for (const id of missing) {
        const until = untilMs.get(id) ?? (isMass ? nowMs + LOSS_HOLD_MS : undefined);
        if (until !== undefined) next.set(id, until);
      }
      untilMs = next;
      held = new Set([...untilMs].filter(([, until]) => nowMs < until).map(([id]) => id));
      return held;
    },
    accept() {
      const count = held.size;
      for (const id of held) untilMs.set(id, -Infinity);
      held = new Set();
      return count;
    },
  };
}
