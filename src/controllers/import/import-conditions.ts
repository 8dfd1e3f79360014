/** What is said of a ClusterLink Import: the conditions that ClusterLink sets, by its types and reasons, and ours. Pure. */
import type { ConditionDraft } from '../../api/conditions.ts';
import type { ImportStatus } from '../../merge/types.ts';
import type { Published } from './home.ts';

/** ClusterLink v0.4 writes the first; its documents name the second, and so may people's scripts. */
const SERVICE_TYPES = ['ImportServiceValid', 'ImportServiceCreated'] as const;

/** Of one of which an import was made. */
export function desiredMadeConditions({
  written,
  published,
  readiness,
}: {
  readonly written: ImportStatus;
  readonly published: Pick<Published, 'conditions' | 'problem'>;
  /** `Ready`, and what else is said of any import. */
  readonly readiness: readonly ConditionDraft[];
}): ConditionDraft[] {
  // The home tells of the Service only what is wrong with it.
  const missed = published.conditions?.find(({ type, status }) => type === 'ServicePublished' && status === 'False');
  return [...written.conditions, ...describeService(published.problem?.message ?? missed?.message), ...readiness];
}

/** Of one of which nothing was made. */
export function desiredRefusedConditions(
  written: ImportStatus,
  { reason, message }: { readonly reason: string; readonly message: string },
): ConditionDraft[] {
  const isPortless = reason === 'NoTargetPort';
  const conditions = written.conditions.map((draft): ConditionDraft =>
    isPortless && draft.type === 'ImportTargetPortValid'
      ? { ...draft, status: 'False', reason: 'Error', message }
      : draft,
  );
  return [...conditions, ...describeService(message), { type: 'Ready', status: 'False', reason, message }];
}

function describeService(problem: string | undefined): ConditionDraft[] {
  return SERVICE_TYPES.map((type) =>
    problem === undefined
      ? { type, status: 'True', reason: 'Valid', message: '' }
      : { type, status: 'False', reason: 'Error', message: problem },
  );
}

/** What its people are told by an event too: each by its reason, once. */
export function importWarnings({ conditions, refusal }: ImportStatus): { reason: string; message: string }[] {
  const isUnresolved = ({ type, status }: ConditionDraft): boolean => type === 'SourcesResolved' && status === 'False';
  const odd = conditions.filter((draft) => draft.reason === 'UnknownScheme' || isUnresolved(draft));
  return [...(refusal === undefined ? [] : [refusal]), ...odd].map(({ reason, message }) => ({ reason, message }));
}
