/** Conditions: observations with a reason, whose time moves only with their status. */
import type { Condition } from './object.ts';

/** A condition before it is written: the shell adds the time. */
export type ConditionDraft = Omit<Condition, 'lastTransitionTime'>;

/** Finds a condition by type. */
export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/**
 * Dates drafts: a condition whose status did not change keeps its time (KEP-1645, CRD-15).
 *
 * @param now - RFC 3339, second precision, for those that changed.
 */
export function dateConditions(
  drafts: readonly ConditionDraft[],
  present: readonly Condition[] | undefined,
  now: string,
): Condition[] {
  return drafts.map((draft) => {
    const before = findCondition(present, draft.type);
    return { ...draft, lastTransitionTime: before?.status === draft.status ? before.lastTransitionTime : now };
  });
}
