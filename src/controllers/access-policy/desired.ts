/** What a policy's status says: pure. */
import type { ConditionDraft } from '../../api/conditions.ts';
import { formatPath } from '../../api/validation/finding.ts';

export interface PolicyProblem {
  readonly path: readonly string[];
  readonly message: string;
  readonly fix: string;
}

export function desiredPolicyCondition(action: string, problems: readonly PolicyProblem[]): ConditionDraft {
  if (problems.length === 0) return { type: 'Valid', status: 'True', reason: 'Valid', message: '' };
  const effect =
    action === 'allow'
      ? 'Until it is mended it allows nothing.'
      : 'Until it is mended it denies everything in its scope.';
  const list = problems.map(({ path, message, fix }) => `${formatPath(['spec', ...path])}: ${message}. Fix: ${fix}`);
  return { type: 'Valid', status: 'False', reason: 'Invalid', message: [...list, effect].join('\n') };
}
