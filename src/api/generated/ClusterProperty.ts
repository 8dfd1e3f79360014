// Generated from crds/about.k8s.io_clusterproperties.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface ClusterPropertySpec {
  value: string;
}

export interface ClusterPropertyStatus {}

/** One property of this cluster. */
export interface IClusterProperty {
  apiVersion: 'about.k8s.io/v1beta1';
  kind: 'ClusterProperty';
  metadata?: ObjectMeta;
  spec: ClusterPropertySpec;
  status?: ClusterPropertyStatus;
}

export interface ClusterProperty extends IClusterProperty {}
export class ClusterProperty extends Model<IClusterProperty> {
  static readonly apiVersion = 'about.k8s.io/v1beta1' as const;
  static readonly kind = 'ClusterProperty' as const;
  static readonly is = createTypeMetaGuard<IClusterProperty>(ClusterProperty);

  constructor(data?: ModelData<IClusterProperty>) {
    super();
    this.setDefinedProps({
      apiVersion: ClusterProperty.apiVersion,
      kind: ClusterProperty.kind,
      ...data,
    } as ModelData<IClusterProperty>);
  }
}
setValidateFunc(ClusterProperty, validateModel(ClusterProperty));
