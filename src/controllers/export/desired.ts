/** What the status of a ClusterLink Export says: pure. */
import type { ConditionDraft } from '../../api/conditions.ts';
import type { TargetProspect } from '../../catalogue/host-targets.ts';
import type { ExportTarget } from '../../catalogue/pod-targets.ts';
import type { ExportVerdict } from '../../catalogue/types.ts';
import type { Tale } from '../teller.ts';

/** The catalogue's verdict, or that of the configuration on its host. */
export interface ExportStanding {
  /** Undefined: nobody can tell before a gateway dials. */
  readonly valid: boolean | undefined;
  readonly reason: ExportVerdict['reason'] | 'TargetForbidden' | 'TargetUnseen';
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
  const draft = { type: TYPE, message, observedGeneration: generation };
  if (valid === true) return { ...draft, status: 'True', reason: 'Verified' };
  return valid === undefined ? { ...draft, status: 'Unknown', reason } : { ...draft, status: 'False', reason };
}

/** An Export that is not offered, or perhaps for nothing; undefined when all is well. */
export function findExportTale(conditions: readonly ConditionDraft[]): Tale | undefined {
  const invalid = conditions.find(({ type, status }) => type === TYPE && status !== 'True');
  return invalid === undefined ? undefined : { reason: invalid.reason, note: invalid.message };
}

/** Of a host that is not permitted, or of which that cannot be seen here; undefined when it is. */
export function hostStanding(
  prospect: TargetProspect,
  { namespace, host, port }: ExportTarget,
): ExportStanding | undefined {
  const fix =
    'Fix: an administrator can add it to exports.targets in the configuration, or the Export can name a Service.';
  switch (prospect) {
    case 'permitted':
      return undefined;
    case 'forbidden': {
      const message = `spec.host: ${host}:${port} is not among the permitted targets. ${fix}`;
      return { valid: false, reason: 'TargetForbidden', message };
    }
    case 'unseen': {
      const message =
        `spec.host: ${host}:${port} is not among the permitted targets, nor a pod behind a Service: gateways connect to it ` +
        `only while it is the address of a pod of namespace ${namespace}. ${fix}`;
      return { valid: undefined, reason: 'TargetUnseen', message };
    }
  }
}
