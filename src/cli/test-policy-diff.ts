/** `test policy --diff`: other policies, as they go to a running peer, and what it says of them. */
import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { compareText, describeObject, type KubeObject } from '../api/object.ts';
import type { Foresight } from '../gateway/messages.ts';
import type { PolicySet } from '../policy/compile.ts';
import { POLICY_KINDS, readPolicies, type PolicySources } from '../policy/read.ts';
import { POLICY_CHANGES_TOLD_MAX } from './limits.ts';
import { policiesOf } from './test-policy-manifests.ts';

/** `apply`: beside those that are there, and in the place of those of the same name. `replace`: no others are there. */
export const policyChanges = v.object({
  mode: v.picklist(['apply', 'replace']),
  policies: v.array(
    v.object({
      apiVersion: v.string(),
      kind: v.picklist(POLICY_KINDS),
      metadata: v.object({ name: v.string(), namespace: v.exactOptional(v.string()) }),
      // Whatever it is: what cannot be read fails closed, as if it were applied.
      spec: v.unknown(),
    }),
  ),
});
export type PolicyChanges = v.InferOutput<typeof policyChanges>;

/** By `Kind namespace/name`; at most {@link POLICY_CHANGES_TOLD_MAX} of each. */
export interface PolicyDifference {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export type PolicyDiffReport = Foresight & { readonly policies: PolicyDifference };

/** What is sent of the objects of a user's files: the policies, without what a server has written into them. */
export function toPolicyChanges(objects: readonly KubeObject[], mode: PolicyChanges['mode']): PolicyChanges {
  const policies = objects.flatMap((object) => {
    const kind = POLICY_KINDS.find((candidate) => candidate === object.kind);
    if (kind === undefined) return [];
    const { name = '', namespace } = object.metadata ?? {};
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
    return [{ apiVersion: object.apiVersion, kind, metadata, spec: 'spec' in object ? object.spec : undefined }];
  });
  return { mode, policies };
}

/** The policies that there would be. */
export function changePolicies(
  present: PolicySources,
  { mode, policies }: PolicyChanges,
): { readonly next: PolicySet; readonly difference: PolicyDifference } {
  const listed = POLICY_KINDS.flatMap((kind): readonly KubeObject[] => present[kind].list());
  const before = new Map(listed.map((policy) => [describeObject(policy), policy]));
  const given = new Map<string, KubeObject>(policies.map((policy) => [describeObject(policy), policy]));
  const after = mode === 'replace' ? given : new Map<string, KubeObject>([...before, ...given]);
  const specOf = (object: KubeObject | undefined): unknown =>
    object !== undefined && 'spec' in object ? JSON.parse(JSON.stringify(object.spec ?? null)) : null;
  const toldOf = (names: Iterable<string>): string[] => [...names].sort(compareText).slice(0, POLICY_CHANGES_TOLD_MAX);
  return {
    next: readPolicies(policiesOf([...after.values()])),
    difference: {
      added: toldOf([...after.keys()].filter((name) => !before.has(name))),
      changed: toldOf(
        [...given]
          .filter(([name, one]) => before.has(name) && !isDeepStrictEqual(specOf(one), specOf(before.get(name))))
          .map(([name]) => name),
      ),
      removed: toldOf([...before.keys()].filter((name) => !after.has(name))),
    },
  };
}
