/** Policies as the store holds them → policies as decisions read them: sorted, valid, plain data that can be cloned. */
import type { IAccessPolicy } from '../api/generated/AccessPolicy.ts';
import type { IBaselineAccessPolicy } from '../api/generated/BaselineAccessPolicy.ts';
import type { IPrivilegedAccessPolicy } from '../api/generated/PrivilegedAccessPolicy.ts';
import { compareText, keyOf } from '../api/object.ts';
import { formatPath, type Finding } from '../api/validation/finding.ts';
import { policyProblems } from '../api/validation/policy.ts';
import type { Selector } from './selector.ts';
import type { Decision, PolicyKind } from './types.ts';

export interface CompiledPolicy {
  readonly id: NonNullable<Decision['policy']>;
  /** The clients; one match is enough. */
  readonly from: readonly Selector[];
  /** The services; one match is enough. */
  readonly to: readonly Selector[];
  /** The first of the reasons why it cannot be read: it selects nothing (an allow), or its whole scope. */
  readonly unreadable?: string;
}

/** Denies are asked before allows. Both in order of (namespace, name), so that the policy a decision names is always the same. */
export interface PolicyTier {
  readonly deny: readonly CompiledPolicy[];
  readonly allow: readonly CompiledPolicy[];
}

/** All tiers, highest first. */
export interface PolicySet {
  readonly privileged: PolicyTier;
  /** AccessPolicies by namespace: each namespace is asked about its own exports and imports only. */
  readonly regular: Readonly<Record<string, PolicyTier>>;
  readonly baseline: PolicyTier;
}

export interface PolicyObjects {
  readonly privileged: readonly IPrivilegedAccessPolicy[];
  readonly regular: readonly IAccessPolicy[];
  readonly baseline: readonly IBaselineAccessPolicy[];
}

type AnyPolicy = IPrivilegedAccessPolicy | IAccessPolicy | IBaselineAccessPolicy;

/** Selects every client and every service: what is left of a deny that cannot be read. */
const EVERYTHING: readonly Selector[] = [{}];
/** What is left of such an allow. It is kept, so that who asks is told of it. */
const NOTHING: readonly Selector[] = [];

/**
 * Never throws: what cannot be read fails closed. An invalid allow matches nothing. An invalid deny matches its whole scope:
 * everything, or everything of its namespace. An action that is neither `allow` nor `deny` (exactly so written) could have
 * been meant as a deny, and is one of its whole scope.
 */
export function compilePolicies({ privileged, regular, baseline }: PolicyObjects): PolicySet {
  const byNamespace = Map.groupBy(regular, (policy) => keyOf(policy).namespace);
  return {
    privileged: compileTier(privileged),
    regular: Object.fromEntries([...byNamespace].map(([namespace, policies]) => [namespace, compileTier(policies)])),
    baseline: compileTier(baseline),
  };
}

function compileTier(policies: readonly AnyPolicy[]): PolicyTier {
  const deny: CompiledPolicy[] = [];
  const allow: CompiledPolicy[] = [];
  for (const policy of policies) {
    const id = { kind: policy.kind satisfies PolicyKind, ...keyOf(policy) };
    const [problem] = policyProblems(policy.spec);
    const isAllow = policy.spec?.action === 'allow';
    (isAllow ? allow : deny).push(
      problem === undefined
        ? { id, from: selectorsOf(policy.spec.from), to: selectorsOf(policy.spec.to) }
        : { id, ...unreadableScope(isAllow ? NOTHING : EVERYTHING, problem) },
    );
  }
  return { deny: deny.sort(compareIds), allow: allow.sort(compareIds) };
}

function unreadableScope(scope: readonly Selector[], { path, message }: Finding): Omit<CompiledPolicy, 'id'> {
  return { from: scope, to: scope, unreadable: `${formatPath(['spec', ...path])} ${message}` };
}

function selectorsOf(items: readonly { readonly workloadSelector?: Selector }[]): Selector[] {
  return items.flatMap(({ workloadSelector }) => (workloadSelector === undefined ? [] : [workloadSelector]));
}

function compareIds(a: CompiledPolicy, b: CompiledPolicy): number {
  return compareText(a.id.namespace, b.id.namespace) || compareText(a.id.name, b.id.name);
}
