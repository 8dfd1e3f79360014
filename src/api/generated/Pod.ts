// Generated from src/api/builtin/pod.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface PodSpec {
  serviceAccountName?: string;
  hostNetwork?: boolean;
  nodeName?: string;
}

export interface PodStatusPodIP {
  ip: string;
}

export interface PodStatusCondition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
}

export interface PodStatus {
  phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  podIP?: string;
  podIPs?: PodStatusPodIP[];
  conditions?: PodStatusCondition[];
}

/** A client by its address, or the endpoint of an export. */
export interface IPod {
  apiVersion: 'v1';
  kind: 'Pod';
  metadata?: ObjectMeta;
  spec?: PodSpec;
  status?: PodStatus;
}

export interface Pod extends IPod {}
export class Pod extends Model<IPod> {
  static readonly apiVersion = 'v1' as const;
  static readonly kind = 'Pod' as const;
  static readonly is = createTypeMetaGuard<IPod>(Pod);

  constructor(data?: ModelData<IPod>) {
    super();
    this.setDefinedProps({ apiVersion: Pod.apiVersion, kind: Pod.kind, ...data } as ModelData<IPod>);
  }
}
setValidateFunc(Pod, validateModel(Pod));
