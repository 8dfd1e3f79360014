// Generated from src/api/builtin/endpointslice.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface EndpointSliceEndpointConditions {
  ready?: boolean;
  serving?: boolean;
  terminating?: boolean;
}

export interface EndpointSliceEndpoint {
  addresses: string[];
  conditions?: EndpointSliceEndpointConditions;
  hostname?: string;
  nodeName?: string;
  zone?: string;
  deprecatedTopology?: Record<string, string>;
  hints?: Record<string, unknown>;
  targetRef?: Record<string, unknown>;
}

export interface EndpointSlicePort {
  name?: string;
  protocol?: 'TCP' | 'UDP' | 'SCTP';
  port?: number;
  appProtocol?: string;
}

/** Some of the endpoints of a Service. */
export interface IEndpointSlice {
  apiVersion: 'discovery.k8s.io/v1';
  kind: 'EndpointSlice';
  metadata?: ObjectMeta;
  addressType: 'IPv4' | 'IPv6' | 'FQDN';
  endpoints: EndpointSliceEndpoint[];
  ports?: EndpointSlicePort[];
}

export interface EndpointSlice extends IEndpointSlice {}
export class EndpointSlice extends Model<IEndpointSlice> {
  static readonly apiVersion = 'discovery.k8s.io/v1' as const;
  static readonly kind = 'EndpointSlice' as const;
  static readonly is = createTypeMetaGuard<IEndpointSlice>(EndpointSlice);

  constructor(data?: ModelData<IEndpointSlice>) {
    super();
    this.setDefinedProps({
      apiVersion: EndpointSlice.apiVersion,
      kind: EndpointSlice.kind,
      ...data,
    } as ModelData<IEndpointSlice>);
  }
}
setValidateFunc(EndpointSlice, validateModel(EndpointSlice));
