// Generated from crds/clusterlink.net_accesspolicies.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface AccessPolicySpecFromWorkloadSelectorMatchExpression {
  key: string;
  operator: string;
  values?: string[];
}

export interface AccessPolicySpecFromWorkloadSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: AccessPolicySpecFromWorkloadSelectorMatchExpression[];
}

export interface AccessPolicySpecFrom {
  /** Named sets of workloads. Not supported; a policy that uses them is invalid. */
  workloadSets?: string[];
  /** A label selector over the attributes of the workload. An empty one selects all. */
  workloadSelector?: AccessPolicySpecFromWorkloadSelector;
}

export interface AccessPolicySpecToWorkloadSelectorMatchExpression {
  key: string;
  operator: string;
  values?: string[];
}

export interface AccessPolicySpecToWorkloadSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: AccessPolicySpecToWorkloadSelectorMatchExpression[];
}

export interface AccessPolicySpecTo {
  /** Named sets of workloads. Not supported; a policy that uses them is invalid. */
  workloadSets?: string[];
  /** A label selector over the attributes of the workload. An empty one selects all. */
  workloadSelector?: AccessPolicySpecToWorkloadSelector;
}

export interface AccessPolicySpec {
  /** allow or deny. */
  action: string;
  /** The clients; one match is enough. */
  from: AccessPolicySpecFrom[];
  /** The services; one match is enough. */
  to: AccessPolicySpecTo[];
}

export interface AccessPolicyStatus {
  conditions?: Condition[];
}

/** Says which clients may reach which services; counts for the exports and imports of its namespace. */
export interface IAccessPolicy {
  apiVersion: 'clusterlink.net/v1alpha1';
  kind: 'AccessPolicy';
  metadata?: ObjectMeta;
  spec: AccessPolicySpec;
  status?: AccessPolicyStatus;
}

export interface AccessPolicy extends IAccessPolicy {}
export class AccessPolicy extends Model<IAccessPolicy> {
  static readonly apiVersion = 'clusterlink.net/v1alpha1' as const;
  static readonly kind = 'AccessPolicy' as const;
  static readonly is = createTypeMetaGuard<IAccessPolicy>(AccessPolicy);

  constructor(data?: ModelData<IAccessPolicy>) {
    super();
    this.setDefinedProps({
      apiVersion: AccessPolicy.apiVersion,
      kind: AccessPolicy.kind,
      ...data,
    } as ModelData<IAccessPolicy>);
  }
}
setValidateFunc(AccessPolicy, validateModel(AccessPolicy));
