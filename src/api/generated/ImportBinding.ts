// Generated from crds/mcs.clusterlink.net_importbindings.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface ImportBindingSpecImport {
  namespace: string;
  name: string;
}

export interface ImportBindingSpecOwner {
  kind: string;
  namespace?: string;
  name: string;
}

export interface ImportBindingSpecPort {
  name: string;
  protocol: 'TCP' | 'UDP' | 'SCTP';
  port: number;
  appProtocol?: string;
  /** Where gateways listen in Kubernetes. */
  targetPort?: number;
}

export interface ImportBindingSpecSourcePort {
  /** The name of the port in the import. */
  name: string;
  protocol: 'TCP' | 'UDP' | 'SCTP';
  /** The port of the Service at the source. */
  port: number;
}

export interface ImportBindingSpecSource {
  peer: string;
  namespace: string;
  name: string;
  /** Lower is tried first. Absent is 0. */
  priority?: number;
  /** Its share of connections among those of its priority. Absent is 1; 0: only while no other can be used. */
  weight?: number;
  /** Its place in the order of the rule, with scheme Static; several may have one. Absent: last. */
  order?: number;
  /** As the peer last said. */
  readyEndpoints: number;
  /** The ports of the import that this source really has. */
  ports: ImportBindingSpecSourcePort[];
  labels?: Record<string, string>;
}

export interface ImportBindingSpecLoadBalancing {
  scheme?: 'RoundRobin' | 'Random' | 'Static' | 'LeastLatency';
  localFirst?: boolean;
  affinityTimeoutSeconds?: number;
}

export interface ImportBindingSpecVerdict {
  peer: string;
  namespace: string;
  name: string;
  reasons: string[];
  loses: boolean;
  message: string;
}

export interface ImportBindingSpec {
  import: ImportBindingSpecImport;
  /** The rule that names this import, or the Import that is it. */
  owner: ImportBindingSpecOwner;
  type: 'ClusterSetIP' | 'Headless';
  ips: string[];
  ipFamilies?: string[];
  ports: ImportBindingSpecPort[];
  sources: ImportBindingSpecSource[];
  loadBalancing?: ImportBindingSpecLoadBalancing;
  /** Off: nothing of a client is sent before its source has answered. Absent: what it sends at once goes with the request. */
  earlyData?: 'Off';
  /** What became of each export that this import could use; told to its owner, and to no other peer. */
  verdicts?: ImportBindingSpecVerdict[];
  /** Whether an ordinary Service of the same name goes with the import. */
  service?: boolean;
  /** Whether the endpoints of the import are added to a Service of the same name that somebody else made. */
  joinsService?: boolean;
  /** Further DNS names that are answered like the import. */
  aliases?: string[];
  /** Labels of the import, which policies may select. */
  labels?: Record<string, string>;
}

export interface ImportBindingStatusListener {
  /** The port of the import. */
  port: number;
  address?: string;
  listenPort?: number;
  state: 'Listening' | 'Closed' | 'Failed';
  reason?: string;
  message?: string;
}

export interface ImportBindingStatusSource {
  peer: string;
  namespace: string;
  name: string;
  usable: boolean;
  reason?: string;
}

export interface ImportBindingStatusGatewayFailed {
  targetPort: number;
  message: string;
}

export interface ImportBindingStatusGatewaySource {
  peer: string;
  namespace: string;
  name: string;
  usable: boolean;
  reason?: string;
}

export interface ImportBindingStatusGateway {
  /** The name of the gateway's pod. */
  name: string;
  /** The target ports that it listens on. */
  listening: number[];
  /** The target ports that it could not listen on. */
  failed?: ImportBindingStatusGatewayFailed[];
  /** Whether each source can be used from it now. */
  sources: ImportBindingStatusGatewaySource[];
}

export interface ImportBindingStatus {
  conditions?: Condition[];
  /** Where this peer listens for the import. */
  listeners?: ImportBindingStatusListener[];
  /** Whether each source can be used now. */
  sources?: ImportBindingStatusSource[];
  /** In Kubernetes, where several gateways serve an import: what each says, under a field manager of its own. */
  gateways?: ImportBindingStatusGateway[];
}

/** An import compiled for use. Written by the controller; read by gateways and DNS. */
export interface IImportBinding {
  apiVersion: 'mcs.clusterlink.net/v1alpha1';
  kind: 'ImportBinding';
  metadata?: ObjectMeta;
  spec: ImportBindingSpec;
  status?: ImportBindingStatus;
}

export interface ImportBinding extends IImportBinding {}
export class ImportBinding extends Model<IImportBinding> {
  static readonly apiVersion = 'mcs.clusterlink.net/v1alpha1' as const;
  static readonly kind = 'ImportBinding' as const;
  static readonly is = createTypeMetaGuard<IImportBinding>(ImportBinding);

  constructor(data?: ModelData<IImportBinding>) {
    super();
    this.setDefinedProps({
      apiVersion: ImportBinding.apiVersion,
      kind: ImportBinding.kind,
      ...data,
    } as ModelData<IImportBinding>);
  }
}
setValidateFunc(ImportBinding, validateModel(ImportBinding));
