/** What a ServiceExport's status says: pure. */
import type { ConditionDraft } from '../../api/conditions.ts';
import type { ExportVerdict } from '../../catalogue/types.ts';
import { PROPERTIES } from '../../merge/properties.ts';
import type { Tale } from '../teller.ts';

/** What one import, here or at a peer, finds wrong with an export. */
export interface ConflictSeen {
  readonly reasons: readonly string[];
  readonly loses: boolean;
  /** For people; never names a third peer. */
  readonly message: string;
}

export interface ObservedExport {
  readonly generation: number;
  readonly verdict: ExportVerdict;
  readonly conflicts: readonly ConflictSeen[];
}

/** In the order of CFL-12, so that the joined reason is the same whoever writes it. */
const CONFLICT_REASONS = PROPERTIES.map(({ reason }) => reason);

/**
 * `Valid`, `Ready` and `Conflict` (KEP-1645; mcs-api.md §2.2). Peers pull, so a valid export is `Ready` with reason `Ready`;
 * an invalid one contributes nothing, so it has no `Conflict` condition.
 */
export function desiredExportConditions({ generation, verdict, conflicts }: ObservedExport): ConditionDraft[] {
  const observedGeneration = generation;
  if (!verdict.valid) {
    return [
      { type: 'Valid', status: 'False', reason: verdict.reason, message: verdict.message, observedGeneration },
      { type: 'Ready', status: 'False', reason: 'Pending', message: 'The export is not valid.', observedGeneration },
    ];
  }
  return [
    { type: 'Valid', status: 'True', reason: 'Valid', message: verdict.message, observedGeneration },
    {
      type: 'Ready',
      status: 'True',
      reason: 'Ready',
      message: 'Offered to the peers that a policy could admit.',
      observedGeneration,
    },
    { ...conflictCondition(conflicts), observedGeneration },
  ];
}

/** An invalid export, or a conflict, of several the first (EXP-14); undefined when all is well. */
export function findTale(conditions: readonly ConditionDraft[]): Tale | undefined {
  const invalid = conditions.find(({ type, status }) => type === 'Valid' && status === 'False');
  if (invalid !== undefined) return { reason: invalid.reason, note: invalid.message };
  const conflict = conditions.find(({ type, status }) => type === 'Conflict' && status === 'True');
  if (conflict === undefined) return undefined;
  const [reason = ''] = conflict.reason.split(',');
  return { reason, note: `${conflict.reason}: ${conflict.message}` };
}

function conflictCondition(conflicts: readonly ConflictSeen[]): ConditionDraft {
  const reasons = new Set(conflicts.flatMap((conflict) => conflict.reasons));
  const known = CONFLICT_REASONS.filter((reason) => reasons.has(reason));
  if (known.length === 0) return { type: 'Conflict', status: 'False', reason: 'NoConflicts', message: '' };
  const messages = [
    ...new Set(conflicts.filter(({ reasons }) => reasons.length > 0).map(({ message }) => message)),
  ].sort();
  return { type: 'Conflict', status: 'True', reason: known.join(','), message: messages.join('\n') };
}
