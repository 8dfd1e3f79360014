// Generated from crds/multicluster.x-k8s.io_serviceimports.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface ServiceImportSpecPort {
  /** A DNS label, unique in the list. */
  name?: string;
  /** TCP, UDP or SCTP. */
  protocol?: string;
  appProtocol?: string;
  /** The port of the Service. */
  port: number;
}

export interface ServiceImportSpecSessionAffinityConfigClientIP {
  timeoutSeconds?: number;
}

export interface ServiceImportSpecSessionAffinityConfig {
  clientIP?: ServiceImportSpecSessionAffinityConfigClientIP;
}

export interface ServiceImportSpec {
  /** Union of the ports of all exports behind this import. */
  ports: ServiceImportSpecPort[];
  /** The clusterset IPs. */
  ips?: string[];
  /** IPv4, IPv6. */
  ipFamilies?: string[];
  type: 'ClusterSetIP' | 'Headless';
  /** ClientIP or None. */
  sessionAffinity?: string;
  sessionAffinityConfig?: ServiceImportSpecSessionAffinityConfig;
  internalTrafficPolicy?: string;
  trafficDistribution?: string;
}

export interface ServiceImportStatusCluster {
  /** Cluster id, an RFC 1123 label. */
  cluster: string;
}

export interface ServiceImportStatus {
  clusters?: ServiceImportStatusCluster[];
  /** Whether EndpointSlices beside the import say what its clusters offer. */
  endpointSliceObjects?: 'Present' | 'Absent';
  conditions?: Condition[];
}

/** A service of the clusterset as this cluster uses it. */
export interface IServiceImport {
  apiVersion: 'multicluster.x-k8s.io/v1beta1';
  kind: 'ServiceImport';
  metadata?: ObjectMeta;
  spec?: ServiceImportSpec;
  status?: ServiceImportStatus;
}

export interface ServiceImport extends IServiceImport {}
export class ServiceImport extends Model<IServiceImport> {
  static readonly apiVersion = 'multicluster.x-k8s.io/v1beta1' as const;
  static readonly kind = 'ServiceImport' as const;
  static readonly is = createTypeMetaGuard<IServiceImport>(ServiceImport);

  constructor(data?: ModelData<IServiceImport>) {
    super();
    this.setDefinedProps({
      apiVersion: ServiceImport.apiVersion,
      kind: ServiceImport.kind,
      ...data,
    } as ModelData<IServiceImport>);
  }
}
setValidateFunc(ServiceImport, validateModel(ServiceImport));
