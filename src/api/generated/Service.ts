// Generated from src/api/builtin/service.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface ServiceSpecPort {
  name?: string;
  protocol?: 'TCP' | 'UDP' | 'SCTP';
  appProtocol?: string;
  port: number;
  targetPort?: number | string;
  nodePort?: number;
}

export interface ServiceSpecSessionAffinityConfigClientIP {
  timeoutSeconds?: number;
}

export interface ServiceSpecSessionAffinityConfig {
  clientIP?: ServiceSpecSessionAffinityConfigClientIP;
}

export interface ServiceSpec {
  type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  selector?: Record<string, string>;
  ports?: ServiceSpecPort[];
  clusterIP?: string;
  clusterIPs?: string[];
  ipFamilies?: ('IPv4' | 'IPv6')[];
  ipFamilyPolicy?: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
  externalIPs?: string[];
  externalName?: string;
  externalTrafficPolicy?: string;
  internalTrafficPolicy?: 'Cluster' | 'Local';
  trafficDistribution?: string;
  allocateLoadBalancerNodePorts?: boolean;
  healthCheckNodePort?: number;
  loadBalancerClass?: string;
  loadBalancerIP?: string;
  loadBalancerSourceRanges?: string[];
  publishNotReadyAddresses?: boolean;
  sessionAffinity?: 'None' | 'ClientIP';
  sessionAffinityConfig?: ServiceSpecSessionAffinityConfig;
}

/** A named set of local endpoints. */
export interface IService {
  apiVersion: 'v1';
  kind: 'Service';
  metadata?: ObjectMeta;
  spec?: ServiceSpec;
  status?: Record<string, unknown>;
}

export interface Service extends IService {}
export class Service extends Model<IService> {
  static readonly apiVersion = 'v1' as const;
  static readonly kind = 'Service' as const;
  static readonly is = createTypeMetaGuard<IService>(Service);

  constructor(data?: ModelData<IService>) {
    super();
    this.setDefinedProps({ apiVersion: Service.apiVersion, kind: Service.kind, ...data } as ModelData<IService>);
  }
}
setValidateFunc(Service, validateModel(Service));
