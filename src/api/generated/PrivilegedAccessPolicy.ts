// Generated from crds/clusterlink.net_privilegedaccesspolicies.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface PrivilegedAccessPolicySpecFromWorkloadSelectorMatchExpression {
  key: string;
  operator: string;
  values?: string[];
}

export interface PrivilegedAccessPolicySpecFromWorkloadSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: PrivilegedAccessPolicySpecFromWorkloadSelectorMatchExpression[];
}

export interface PrivilegedAccessPolicySpecFrom {
  /** Named sets of workloads. Not supported; a policy that uses them is invalid. */
  workloadSets?: string[];
  /** A label selector over the attributes of the workload. An empty one selects all. */
  workloadSelector?: PrivilegedAccessPolicySpecFromWorkloadSelector;
}

export interface PrivilegedAccessPolicySpecToWorkloadSelectorMatchExpression {
  key: string;
  operator: string;
  values?: string[];
}

export interface PrivilegedAccessPolicySpecToWorkloadSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: PrivilegedAccessPolicySpecToWorkloadSelectorMatchExpression[];
}

export interface PrivilegedAccessPolicySpecTo {
  /** Named sets of workloads. Not supported; a policy that uses them is invalid. */
  workloadSets?: string[];
  /** A label selector over the attributes of the workload. An empty one selects all. */
  workloadSelector?: PrivilegedAccessPolicySpecToWorkloadSelector;
}

export interface PrivilegedAccessPolicySpec {
  /** allow or deny. */
  action: string;
  /** The clients; one match is enough. */
  from: PrivilegedAccessPolicySpecFrom[];
  /** The services; one match is enough. */
  to: PrivilegedAccessPolicySpecTo[];
}

export interface PrivilegedAccessPolicyStatus {
  conditions?: Condition[];
}

/** An administrator's policy, decided before every AccessPolicy. */
export interface IPrivilegedAccessPolicy {
  apiVersion: 'clusterlink.net/v1alpha1';
  kind: 'PrivilegedAccessPolicy';
  metadata?: ObjectMeta;
  spec: PrivilegedAccessPolicySpec;
  status?: PrivilegedAccessPolicyStatus;
}

export interface PrivilegedAccessPolicy extends IPrivilegedAccessPolicy {}
export class PrivilegedAccessPolicy extends Model<IPrivilegedAccessPolicy> {
  static readonly apiVersion = 'clusterlink.net/v1alpha1' as const;
  static readonly kind = 'PrivilegedAccessPolicy' as const;
  static readonly is = createTypeMetaGuard<IPrivilegedAccessPolicy>(PrivilegedAccessPolicy);

  constructor(data?: ModelData<IPrivilegedAccessPolicy>) {
    super();
    this.setDefinedProps({
      apiVersion: PrivilegedAccessPolicy.apiVersion,
      kind: PrivilegedAccessPolicy.kind,
      ...data,
    } as ModelData<IPrivilegedAccessPolicy>);
  }
}
setValidateFunc(PrivilegedAccessPolicy, validateModel(PrivilegedAccessPolicy));
