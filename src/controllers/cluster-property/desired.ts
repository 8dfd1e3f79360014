/** Which cluster this is, and of which clusterset (KEP-2149): pure. */
import type { Applied } from '../../api/applied.ts';
import type { IClusterProperty } from '../../api/generated/ClusterProperty.ts';
import { LABELS, MANAGED_BY } from '../../api/names.ts';

/** The cluster id: the name of this peer (ABT-01). */
export const CLUSTER_PROPERTY = 'cluster.clusterset.k8s.io';
/** The clusterset: the name of the fabric (ABT-05). */
export const CLUSTERSET_PROPERTY = 'clusterset.k8s.io';
export const PROPERTY_NAMES = [CLUSTER_PROPERTY, CLUSTERSET_PROPERTY] as const;
export type PropertyName = (typeof PROPERTY_NAMES)[number];

export interface PropertyInput {
  readonly name: PropertyName;
  readonly value: string;
  readonly present: IClusterProperty | undefined;
}

export type DesiredProperty =
  | { readonly apply: Applied<'ClusterProperty'> }
  /** Somebody else says the same: then it is theirs to keep. */
  | { readonly keep: true }
  /** Somebody else says something else: for people. */
  | { readonly problem: { readonly message: string; readonly fix: string } };

/** An id is not overwritten: others in this cluster may have built on it (ABT-02, ABT-10). */
export function desiredProperty({ name, value, present }: PropertyInput): DesiredProperty {
  if (present !== undefined && present.metadata?.labels?.[LABELS.managedBy] !== MANAGED_BY) {
    if (present.spec.value === value) return { keep: true };
    return {
      problem: {
        message: `ClusterProperty ${name}: somebody else set it to another value than ${value}`,
        fix:
          name === CLUSTER_PROPERTY
            ? 'Give this peer the name that the property says, or delete the property if nothing depends on it.'
            : 'Leave the other clusterset first, and delete the property.',
      },
    };
  }
  return {
    apply: {
      apiVersion: 'about.k8s.io/v1beta1',
      kind: 'ClusterProperty',
      metadata: { name, labels: { [LABELS.managedBy]: MANAGED_BY } },
      spec: { value },
    },
  };
}
