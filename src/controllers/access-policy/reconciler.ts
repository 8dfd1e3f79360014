/** Says on each policy whether it can be evaluated: an invalid allow matches nothing, an invalid deny its whole scope. */
import { dateConditions } from '../../api/conditions.ts';
import { policyProblems } from '../../api/validation/policy.ts';
import { formatKey, keyOf, parseKey } from '../../api/object.ts';
import { POLICY_KINDS } from '../../policy/read.ts';
import type { PolicyKind } from '../../policy/types.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Caches } from '../../store/caches.ts';
import type { Store } from '../../store/store.ts';
import { CONTROLLER_MANAGER, timestamp, type Controller } from '../controller.ts';
import { desiredPolicyCondition } from './desired.ts';

export interface AccessPolicyControllerOptions {
  readonly store: Store;
  readonly caches: Caches;
  readonly clock: Pick<Clock, 'nowMs'>;
}

export function makeAccessPolicyController({ store, caches, clock }: AccessPolicyControllerOptions): Controller {
  async function reconcile(key: string): Promise<void> {
    const [kind = '', text = ''] = key.split(' ');
    const policy = caches[kind as PolicyKind].get(parseKey(text));
    if (policy === undefined) return;
    const draft = desiredPolicyCondition(policy.spec.action, policyProblems(policy.spec));
    const dated = { ...draft, observedGeneration: policy.metadata?.generation ?? 1 };
    const conditions = dateConditions([dated], policy.status?.conditions, timestamp(clock));
    const { namespace, name } = keyOf(policy);
    const body = { metadata: namespace === '' ? { name } : { namespace, name }, status: { conditions } };
    await store.applyStatus<PolicyKind>(
      { apiVersion: policy.apiVersion, kind: policy.kind, ...body },
      { fieldManager: CONTROLLER_MANAGER, force: true },
    );
  }

  return {
    name: 'access-policy',
    reconcile,
    watches: (enqueue) =>
      POLICY_KINDS.map((kind) => caches[kind].onChange((key) => enqueue(`${kind} ${formatKey(key)}`))),
    resync: (enqueue) => {
      for (const kind of POLICY_KINDS) {
        for (const object of caches[kind].list()) enqueue(`${kind} ${formatKey(keyOf(object))}`);
      }
    },
  };
}
