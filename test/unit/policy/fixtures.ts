/** Builders of policies, as short as the tables of clusterlink.md §4.6. */
import type { AccessPolicySpec, AccessPolicySpecFrom, IAccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import type { IBaselineAccessPolicy } from '#src/api/generated/BaselineAccessPolicy.ts';
import type { IPrivilegedAccessPolicy } from '#src/api/generated/PrivilegedAccessPolicy.ts';
import { compilePolicies, type PolicySet } from '#src/policy/compile.ts';
import type { Selector } from '#src/policy/selector.ts';

export type AnyPolicy = IAccessPolicy | IPrivilegedAccessPolicy | IBaselineAccessPolicy;

/** Selects everything. */
export const ANY: Selector = {};

export function spec(
  action: string,
  from: Selector | Selector[] = ANY,
  to: Selector | Selector[] = ANY,
): AccessPolicySpec {
  const items = (selectors: Selector | Selector[]) =>
    [selectors].flat().map((workloadSelector) => ({ workloadSelector: mutableCopy(workloadSelector) }));
  return { action, from: items(from), to: items(to) };
}

/** Generated models have mutable lists; selectors of tests do not. */
function mutableCopy(selector: Selector): NonNullable<AccessPolicySpecFrom['workloadSelector']> {
  return JSON.parse(JSON.stringify(selector)) as NonNullable<AccessPolicySpecFrom['workloadSelector']>;
}

export function privileged(body: AccessPolicySpec, name = 'p'): IPrivilegedAccessPolicy {
  return { apiVersion: 'clusterlink.net/v1alpha1', kind: 'PrivilegedAccessPolicy', metadata: { name }, spec: body };
}

export function regular(namespace: string, body: AccessPolicySpec, name = 'a'): IAccessPolicy {
  return { apiVersion: 'clusterlink.net/v1alpha1', kind: 'AccessPolicy', metadata: { namespace, name }, spec: body };
}

export function baseline(body: AccessPolicySpec, name = 'b'): IBaselineAccessPolicy {
  return { apiVersion: 'mcs.clusterlink.net/v1alpha1', kind: 'BaselineAccessPolicy', metadata: { name }, spec: body };
}

export function compileAll(policies: readonly AnyPolicy[]): PolicySet {
  return compilePolicies({
    privileged: policies.filter((policy) => policy.kind === 'PrivilegedAccessPolicy'),
    regular: policies.filter((policy) => policy.kind === 'AccessPolicy'),
    baseline: policies.filter((policy) => policy.kind === 'BaselineAccessPolicy'),
  });
}

/** The keys of clusterlink.md §4.6, short as there. */
const KEYS = {
  sa: 'client.clusterlink.net/service-account',
  app: 'client.clusterlink.net/labels.app',
  team: 'client.clusterlink.net/labels.team',
  peer: 'peer.clusterlink.net/name',
  exp: 'export.clusterlink.net/name',
  region: 'peer.clusterlink.net/labels.region',
  tier: 'export.clusterlink.net/labels.tier',
};
type Short = keyof typeof KEYS;

export function is(values: Partial<Record<Short, string>>): Selector {
  const labels = Object.entries(values).map(([key, value]) => [KEYS[key as Short], value]);
  return { matchLabels: Object.fromEntries(labels) as Record<string, string> };
}

export function has(key: Short, operator: string, ...values: string[]): Selector {
  return {
    matchExpressions: [values.length === 0 ? { key: KEYS[key], operator } : { key: KEYS[key], operator, values }],
  };
}
