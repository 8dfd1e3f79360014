/** The policies that lists of objects hold now, compiled: caches have this shape. Pure. */
import type { IAccessPolicy } from '../api/generated/AccessPolicy.ts';
import type { IBaselineAccessPolicy } from '../api/generated/BaselineAccessPolicy.ts';
import type { IPrivilegedAccessPolicy } from '../api/generated/PrivilegedAccessPolicy.ts';
import { compilePolicies, type PolicySet } from './compile.ts';

export interface PolicySources {
  readonly PrivilegedAccessPolicy: { list(): readonly IPrivilegedAccessPolicy[] };
  readonly AccessPolicy: { list(): readonly IAccessPolicy[] };
  readonly BaselineAccessPolicy: { list(): readonly IBaselineAccessPolicy[] };
}

/** The tiers, first to last: whoever decides watches these. */
export const POLICY_KINDS = [
  'PrivilegedAccessPolicy',
  'AccessPolicy',
  'BaselineAccessPolicy',
] as const satisfies (keyof PolicySources)[];

export function readPolicies(sources: PolicySources): PolicySet {
  return compilePolicies({
    privileged: sources.PrivilegedAccessPolicy.list(),
    regular: sources.AccessPolicy.list(),
    baseline: sources.BaselineAccessPolicy.list(),
  });
}
