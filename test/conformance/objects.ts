/**
 * The Kubernetes objects of the suite, with only the members that it reads or writes. API servers hold objects to their schemas, so
 * what is read is given these types without a further check; members that a schema does not require are optional here.
 */

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ServicePort {
  readonly name?: string;
  readonly protocol?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly appProtocol?: string;
}

export interface SessionAffinityConfig {
  readonly clientIP?: { readonly timeoutSeconds?: number };
}

export interface ServiceSpec {
  readonly type?: string;
  readonly externalName?: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly clusterIP?: string;
  readonly ports?: readonly ServicePort[];
  readonly sessionAffinity?: string;
  readonly sessionAffinityConfig?: SessionAffinityConfig;
  readonly internalTrafficPolicy?: string;
  readonly trafficDistribution?: string;
  readonly ipFamilyPolicy?: string;
  readonly ipFamilies?: readonly string[];
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface ServiceExportSpec {
  readonly exportedLabels?: Readonly<Record<string, string>>;
  readonly exportedAnnotations?: Readonly<Record<string, string>>;
}

export interface ServiceImportSpec {
  readonly type?: string;
  readonly ports?: readonly ServicePort[];
  readonly ips?: readonly string[];
  readonly ipFamilies?: readonly string[];
  readonly sessionAffinity?: string;
  readonly sessionAffinityConfig?: SessionAffinityConfig;
  readonly internalTrafficPolicy?: string;
  readonly trafficDistribution?: string;
}

export interface Endpoint {
  readonly addresses: readonly string[];
  readonly conditions?: { readonly ready?: boolean };
  readonly hostname?: string;
}

interface ApiObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Metadata;
}
export interface Namespace extends ApiObject {
  readonly kind?: string;
}
export interface Pod extends ApiObject {
  readonly spec?: unknown;
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly { readonly state?: { readonly waiting?: { readonly reason?: string } } }[];
  };
}
export interface Service extends ApiObject {
  readonly spec: ServiceSpec;
}
/** Deployment or StatefulSet. */
export interface Workload extends ApiObject {
  readonly spec: unknown;
}
export interface EndpointSlice extends ApiObject {
  readonly addressType: string;
  readonly endpoints?: readonly Endpoint[];
}
export interface ServiceExport extends ApiObject {
  readonly spec?: ServiceExportSpec;
  readonly status?: { readonly conditions?: readonly Condition[] };
}
export interface ServiceImport extends ApiObject {
  readonly spec?: ServiceImportSpec;
}

export interface ObjectByResource {
  namespaces: Namespace;
  pods: Pod;
  services: Service;
  deployments: Workload;
  statefulsets: Workload;
  endpointslices: EndpointSlice;
  serviceexports: ServiceExport;
  serviceimports: ServiceImport;
}
export type Resource = keyof ObjectByResource;

const GROUP_VERSION: Readonly<Record<Resource, string>> = {
  namespaces: 'v1',
  pods: 'v1',
  services: 'v1',
  deployments: 'apps/v1',
  statefulsets: 'apps/v1',
  endpointslices: 'discovery.k8s.io/v1',
  // The suite speaks v1beta1 only (CRD-02).
  serviceexports: 'multicluster.x-k8s.io/v1beta1',
  serviceimports: 'multicluster.x-k8s.io/v1beta1',
};

/** The URL path of a collection or an object; without a namespace, of the whole cluster. */
export function toPath(resource: Resource, { namespace, name }: { namespace?: string; name?: string } = {}): string {
  const groupVersion = GROUP_VERSION[resource];
  const segments = [groupVersion.includes('/') ? 'apis' : 'api', groupVersion];
  if (namespace !== undefined) segments.push('namespaces', namespace);
  segments.push(resource);
  if (name !== undefined) segments.push(name);
  return `/${segments.join('/')}`;
}

export const apiVersionOf = (resource: Resource): string => GROUP_VERSION[resource];
