/** Rules and policies as objects. */
import type { ObjectKey } from '#src/api/object.ts';

/** A ClusterImportRule of that name. */
export const importRule = (name: string, spec: object): object => ({
  apiVersion: 'mcs.clusterlink.net/v1alpha1',
  kind: 'ClusterImportRule',
  metadata: { name },
  spec,
});

export interface PolicyInput {
  readonly action?: 'allow' | 'deny';
  /** Labels of the workload that connects; none: whoever it is. */
  readonly from?: Readonly<Record<string, string>>;
  readonly to?: Readonly<Record<string, string>>;
}

export const accessPolicy = (key: ObjectKey, { action = 'allow', from = {}, to = {} }: PolicyInput = {}): object => ({
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'AccessPolicy',
  metadata: key,
  spec: {
    action,
    from: [{ workloadSelector: { matchLabels: from } }],
    to: [{ workloadSelector: { matchLabels: to } }],
  },
});

/** Lets everybody use what the namespace exports, or imports. */
export const allowAll = (namespace: string): object => accessPolicy({ namespace, name: 'everybody' });
