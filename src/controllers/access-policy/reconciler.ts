/**
 * Says on each policy whether it can be evaluated (an invalid allow matches nothing, an invalid deny its whole scope), and how
 * much of what there is here it selects.
 */
import { dateConditions, findCondition } from '../../api/conditions.ts';
import type { KindMap } from '../../api/kinds.ts';
import { formatKey, keyOf, parseKey } from '../../api/object.ts';
import { policyProblems } from '../../api/validation/policy.ts';
import { POLICY_KINDS } from '../../policy/read.ts';
import type { PolicyKind } from '../../policy/types.ts';
import type { Clock } from '../../runtime/clock.ts';
import { onAnyChange, type CachesOf } from '../../store/caches.ts';
import { onSpecChange } from '../../store/spec-changes.ts';
import type { Store } from '../../store/store.ts';
import { CONTROLLER_MANAGER, timestamp, type Controller } from '../controller.ts';
import { POLICY_COUNT_DELAY_MS } from '../limits.ts';
import { desiredPolicyCondition } from './desired.ts';
import { countSelected, targetsByNamespace, type Selected, type Target } from './selected.ts';

export interface AccessPolicyControllerOptions {
  /** This peer: its labels are those of its exports' side. */
  readonly self: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly store: Store;
  readonly caches: CachesOf<PolicyKind | (typeof EXPORT_KINDS)[number] | 'ImportBinding' | 'Peer'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

type AnyPolicy = KindMap[PolicyKind];

/** What policies of the exporting side select. */
const EXPORT_KINDS = ['ServiceExport', 'Export'] as const;

/** The key of all policies at once, after a change of what they speak of; those of single ones have a space. */
const ALL = 'all';

export function makeAccessPolicyController(options: AccessPolicyControllerOptions): Controller {
  const { store, caches, clock } = options;
  const policies = (): readonly AnyPolicy[] =>
    POLICY_KINDS.flatMap((kind): readonly AnyPolicy[] => caches[kind].list());
  const targetsNow = makeTargets(options);

  function selectedBy({ kind, metadata, spec }: AnyPolicy): Selected | undefined {
    const targets = targetsNow();
    if (targets === undefined) return undefined;
    const { namespace = '' } = metadata ?? {};
    return countSelected(spec.to, kind === 'AccessPolicy' ? [targets.get(namespace) ?? []] : targets.values());
  }

  function draftFor(policy: AnyPolicy) {
    const problems = policyProblems(policy.spec);
    // What cannot be read selects by no list of its own.
    const selected = problems.length === 0 ? selectedBy(policy) : undefined;
    return desiredPolicyCondition({ action: policy.spec.action, problems, selected });
  }

  async function say(policy: AnyPolicy): Promise<void> {
    const dated = { ...draftFor(policy), observedGeneration: policy.metadata?.generation ?? 1 };
    const conditions = dateConditions([dated], policy.status?.conditions, timestamp(clock));
    const { namespace, name } = keyOf(policy);
    const body = { metadata: namespace === '' ? { name } : { namespace, name }, status: { conditions } };
    await store.applyStatus<PolicyKind>(
      { apiVersion: policy.apiVersion, kind: policy.kind, ...body },
      { fieldManager: CONTROLLER_MANAGER, force: true },
    );
  }

  /** One after the other, and only where another number is to be told: there may be many, and most stay as they are. */
  async function sayAll(signal: AbortSignal): Promise<void> {
    for (const policy of policies()) {
      if (signal.aborted) return;
      const told = findCondition(policy.status?.conditions, 'Valid')?.message;
      if (told !== undefined && told !== draftFor(policy).message) await say(policy);
    }
  }

  return {
    name: 'access-policy',
    async reconcile(key, signal) {
      if (key === ALL) return sayAll(signal);
      const [kind = '', text = ''] = key.split(' ');
      const policy = caches[kind as PolicyKind].get(parseKey(text));
      if (policy !== undefined) await say(policy);
    },
    watches: (enqueue) => [
      ...POLICY_KINDS.map((kind) => caches[kind].onChange((key) => enqueue(`${kind} ${formatKey(key)}`))),
      onAnyChange(caches, [...EXPORT_KINDS, 'Peer'], () => enqueue(ALL, POLICY_COUNT_DELAY_MS)),
      onSpecChange(caches.ImportBinding, () => enqueue(ALL, POLICY_COUNT_DELAY_MS)),
    ],
    resync: (enqueue) => {
      for (const policy of policies()) enqueue(`${policy.kind} ${formatKey(keyOf(policy))}`);
    },
  };
}

/** Undefined until all of it is known: "selects nothing" would be a lie then. */
function makeTargets({ self, caches }: Pick<AccessPolicyControllerOptions, 'self' | 'caches'>) {
  const { ServiceExport, Export, ImportBinding, Peer } = caches;
  let seen: readonly unknown[] = [];
  let targets: ReadonlyMap<string, readonly Target[]> = new Map();
  return (): typeof targets | undefined => {
    if (![ServiceExport, Export, ImportBinding, Peer].every(({ hasSynced }) => hasSynced)) return undefined;
    const lists = [ServiceExport.list(), Export.list(), ImportBinding.list(), Peer.list()] as const;
    // Lists are the same arrays until something changes.
    if (lists.every((list, index) => list === seen[index])) return targets;
    seen = lists;
    const [serviceExports, exports, imports, peers] = lists;
    return (targets = targetsByNamespace({ self, exports: [...serviceExports, ...exports], imports, peers }));
  };
}
