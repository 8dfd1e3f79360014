/** What a policy's status says: pure. */
import type { ConditionDraft } from '../../api/conditions.ts';
import { formatPath } from '../../api/validation/finding.ts';
import type { Selected } from './selected.ts';

export interface PolicyProblem {
  readonly path: readonly string[];
  readonly message: string;
  readonly fix: string;
}

export interface PolicyStanding {
  readonly action: string;
  readonly problems: readonly PolicyProblem[];
  /** Absent while it is not known what there is to select. */
  readonly selected?: Selected | undefined;
}

export function desiredPolicyCondition({ action, problems, selected }: PolicyStanding): ConditionDraft {
  if (problems.length === 0) {
    return { type: 'Valid', status: 'True', reason: 'Valid', message: selected === undefined ? '' : tell(selected) };
  }
  const effect =
    action === 'allow'
      ? 'Until it is mended it allows nothing.'
      : 'Until it is mended it denies everything in its scope.';
  const list = problems.map(({ path, message, fix }) => `${formatPath(['spec', ...path])}: ${message}. Fix: ${fix}`);
  return { type: 'Valid', status: 'False', reason: 'Invalid', message: [...list, effect].join('\n') };
}

/** A slip in a name or a namespace shows as "no export and no import". */
function tell({ exports, imports }: Selected): string {
  return `spec.to selects ${count(exports, 'export')} and ${count(imports, 'import')} now.`;
}

function count(number: number, what: string): string {
  if (number === 0) return `no ${what}`;
  return number === 1 ? `1 ${what}` : `${number} ${what}s`;
}
