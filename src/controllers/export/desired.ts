/** What the status of a ClusterLink Export says: pure. */
import type { ConditionDraft } from '../../api/conditions.ts';
import type { ExportVerdict } from '../../catalogue/types.ts';
import type { Tale } from '../teller.ts';

/** The catalogue's verdict, or that of the configuration on its host. */
export interface ExportStanding {
  readonly valid: boolean;
  readonly reason: ExportVerdict['reason'] | 'TargetForbidden';
  readonly message: string;
}

/** ClusterLink's one condition of an Export (clusterlink.md §2.2). */
const TYPE = 'ExportValid';

/**
 * Type and status are ClusterLink's, and `Verified` is. Where ClusterLink says `Error` for everything that is wrong, the reason
 * here is finer: who reads conditions goes by their type and status.
 */
export function desiredExportValid(standing: ExportStanding, generation: number): ConditionDraft {
  const { valid, reason, message } = standing;
  return valid
    ? { type: TYPE, status: 'True', reason: 'Verified', message, observedGeneration: generation }
    : { type: TYPE, status: 'False', reason, message, observedGeneration: generation };
}

/** An Export that is not offered; undefined when all is well. */
export function findExportTale(conditions: readonly ConditionDraft[]): Tale | undefined {
  const invalid = conditions.find(({ type, status }) => type === TYPE && status === 'False');
  return invalid === undefined ? undefined : { reason: invalid.reason, note: invalid.message };
}

/** That a host will never be dialled as things are. */
export function forbiddenStanding(target: { readonly host: string; readonly port: number }): ExportStanding {
  const message =
    `spec.host: ${target.host}:${target.port} is not among the permitted targets. ` +
    'Fix: an administrator can add it to exports.targets in the configuration, or the Export can name a Service.';
  return { valid: false, reason: 'TargetForbidden', message };
}
