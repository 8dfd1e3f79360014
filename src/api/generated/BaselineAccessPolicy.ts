// Generated from crds/mcs.clusterlink.net_baselineaccesspolicies.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface BaselineAccessPolicySpecFromWorkloadSelectorMatchExpression {
  key: string;
  operator: string;
  values?: string[];
}

export interface BaselineAccessPolicySpecFromWorkloadSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: BaselineAccessPolicySpecFromWorkloadSelectorMatchExpression[];
}

export interface BaselineAccessPolicySpecFrom {
  /** Named sets of workloads. Not supported; a policy that uses them is invalid. */
  workloadSets?: string[];
  /** A label selector over the attributes of the workload. An empty one selects all. */
  workloadSelector?: BaselineAccessPolicySpecFromWorkloadSelector;
}

export interface BaselineAccessPolicySpecToWorkloadSelectorMatchExpression {
  key: string;
  operator: string;
  values?: string[];
}

export interface BaselineAccessPolicySpecToWorkloadSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: BaselineAccessPolicySpecToWorkloadSelectorMatchExpression[];
}

export interface BaselineAccessPolicySpecTo {
  /** Named sets of workloads. Not supported; a policy that uses them is invalid. */
  workloadSets?: string[];
  /** A label selector over the attributes of the workload. An empty one selects all. */
  workloadSelector?: BaselineAccessPolicySpecToWorkloadSelector;
}

export interface BaselineAccessPolicySpec {
  /** allow or deny. */
  action: string;
  /** The clients; one match is enough. */
  from: BaselineAccessPolicySpecFrom[];
  /** The services; one match is enough. */
  to: BaselineAccessPolicySpecTo[];
}

export interface BaselineAccessPolicyStatus {
  conditions?: Condition[];
}

/** An administrator's policy, decided after every AccessPolicy and before the default, which is to deny. */
export interface IBaselineAccessPolicy {
  apiVersion: 'mcs.clusterlink.net/v1alpha1';
  kind: 'BaselineAccessPolicy';
  metadata?: ObjectMeta;
  spec: BaselineAccessPolicySpec;
  status?: BaselineAccessPolicyStatus;
}

export interface BaselineAccessPolicy extends IBaselineAccessPolicy {}
export class BaselineAccessPolicy extends Model<IBaselineAccessPolicy> {
  static readonly apiVersion = 'mcs.clusterlink.net/v1alpha1' as const;
  static readonly kind = 'BaselineAccessPolicy' as const;
  static readonly is = createTypeMetaGuard<IBaselineAccessPolicy>(BaselineAccessPolicy);

  constructor(data?: ModelData<IBaselineAccessPolicy>) {
    super();
    this.setDefinedProps({
      apiVersion: BaselineAccessPolicy.apiVersion,
      kind: BaselineAccessPolicy.kind,
      ...data,
    } as ModelData<IBaselineAccessPolicy>);
  }
}
setValidateFunc(BaselineAccessPolicy, validateModel(BaselineAccessPolicy));
