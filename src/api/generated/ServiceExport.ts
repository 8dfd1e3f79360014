// Generated from crds/multicluster.x-k8s.io_serviceexports.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface ServiceExportSpec {
  /** Labels offered for the ServiceImport. */
  exportedLabels?: Record<string, string>;
  /** Annotations offered for the ServiceImport. */
  exportedAnnotations?: Record<string, string>;
}

export interface ServiceExportStatus {
  /** Valid, Ready and Conflict. */
  conditions?: Condition[];
}

/** Offers the Service of the same name and namespace to other clusters. */
export interface IServiceExport {
  apiVersion: 'multicluster.x-k8s.io/v1beta1';
  kind: 'ServiceExport';
  metadata?: ObjectMeta;
  spec?: ServiceExportSpec;
  status?: ServiceExportStatus;
}

export interface ServiceExport extends IServiceExport {}
export class ServiceExport extends Model<IServiceExport> {
  static readonly apiVersion = 'multicluster.x-k8s.io/v1beta1' as const;
  static readonly kind = 'ServiceExport' as const;
  static readonly is = createTypeMetaGuard<IServiceExport>(ServiceExport);

  constructor(data?: ModelData<IServiceExport>) {
    super();
    this.setDefinedProps({
      apiVersion: ServiceExport.apiVersion,
      kind: ServiceExport.kind,
      ...data,
    } as ModelData<IServiceExport>);
  }
}
setValidateFunc(ServiceExport, validateModel(ServiceExport));
