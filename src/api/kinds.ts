/** Every kind this product reads or writes: where the API server keeps it and which TypeScript type it has. */
import type { IAccessPolicy } from './generated/AccessPolicy.ts';
import type { IBaselineAccessPolicy } from './generated/BaselineAccessPolicy.ts';
import type { IClusterImportRule } from './generated/ClusterImportRule.ts';
import type { IClusterProperty } from './generated/ClusterProperty.ts';
import type { IEndpointSlice } from './generated/EndpointSlice.ts';
import type { IExport } from './generated/Export.ts';
import type { IImport } from './generated/Import.ts';
import type { IImportBinding } from './generated/ImportBinding.ts';
import type { IImportRule } from './generated/ImportRule.ts';
import type { INamespace } from './generated/Namespace.ts';
import type { INode } from './generated/Node.ts';
import type { IPeer } from './generated/Peer.ts';
import type { IPeerRecords } from './generated/PeerRecords.ts';
import type { IPod } from './generated/Pod.ts';
import type { IPrivilegedAccessPolicy } from './generated/PrivilegedAccessPolicy.ts';
import type { IService } from './generated/Service.ts';
import type { IServiceExport } from './generated/ServiceExport.ts';
import type { IServiceImport } from './generated/ServiceImport.ts';

export interface KindMap {
  Namespace: INamespace;
  Node: INode;
  Pod: IPod;
  Service: IService;
  EndpointSlice: IEndpointSlice;
  ClusterProperty: IClusterProperty;
  ServiceExport: IServiceExport;
  ServiceImport: IServiceImport;
  Peer: IPeer;
  Export: IExport;
  AccessPolicy: IAccessPolicy;
  PrivilegedAccessPolicy: IPrivilegedAccessPolicy;
  BaselineAccessPolicy: IBaselineAccessPolicy;
  Import: IImport;
  ImportRule: IImportRule;
  ClusterImportRule: IClusterImportRule;
  PeerRecords: IPeerRecords;
  ImportBinding: IImportBinding;
}
export type KindName = keyof KindMap;

export interface KindInfo {
  /** Empty for core/v1. */
  readonly group: string;
  /** The version that is stored, and that all code here sees. */
  readonly version: string;
  /** Versions accepted from a manifest; they share one schema, so only `apiVersion` is rewritten. */
  readonly served: readonly string[];
  readonly plural: string;
  readonly namespaced: boolean;
  /** Written by this product alone: a manifest of a user must not carry it. */
  readonly internal: boolean;
  /** Only an API server has it: a folder of manifests is no cluster. */
  readonly clusterOnly: boolean;
}

const kind = (
  group: string,
  version: string,
  plural: string,
  { namespaced = true, internal = false, clusterOnly = false, served = [version] }: Partial<KindInfo> = {},
): KindInfo => ({ group, version, served, plural, namespaced, internal, clusterOnly });

const MCS = 'multicluster.x-k8s.io';
const CLUSTERLINK = 'clusterlink.net';
const OURS = 'mcs.clusterlink.net';

export const KINDS: Readonly<Record<KindName, KindInfo>> = {
  Namespace: kind('', 'v1', 'namespaces', { namespaced: false, clusterOnly: true }),
  Node: kind('', 'v1', 'nodes', { namespaced: false, clusterOnly: true }),
  Pod: kind('', 'v1', 'pods', { clusterOnly: true }),
  Service: kind('', 'v1', 'services'),
  EndpointSlice: kind('discovery.k8s.io', 'v1', 'endpointslices'),
  ClusterProperty: kind('about.k8s.io', 'v1beta1', 'clusterproperties', {
    namespaced: false,
    served: ['v1beta1', 'v1alpha1'],
  }),
  ServiceExport: kind(MCS, 'v1beta1', 'serviceexports', { served: ['v1beta1', 'v1alpha1'] }),
  ServiceImport: kind(MCS, 'v1beta1', 'serviceimports', { served: ['v1beta1', 'v1alpha1'] }),
  Peer: kind(CLUSTERLINK, 'v1alpha1', 'peers'),
  Export: kind(CLUSTERLINK, 'v1alpha1', 'exports'),
  Import: kind(CLUSTERLINK, 'v1alpha1', 'imports'),
  AccessPolicy: kind(CLUSTERLINK, 'v1alpha1', 'accesspolicies'),
  PrivilegedAccessPolicy: kind(CLUSTERLINK, 'v1alpha1', 'privilegedaccesspolicies', { namespaced: false }),
  BaselineAccessPolicy: kind(OURS, 'v1alpha1', 'baselineaccesspolicies', { namespaced: false }),
  ImportRule: kind(OURS, 'v1alpha1', 'importrules'),
  ClusterImportRule: kind(OURS, 'v1alpha1', 'clusterimportrules', { namespaced: false }),
  PeerRecords: kind(OURS, 'v1alpha1', 'peerrecords', { internal: true }),
  ImportBinding: kind(OURS, 'v1alpha1', 'importbindings', { internal: true }),
};

export const KIND_NAMES = Object.keys(KINDS) as readonly KindName[];

export function isKindName(text: string): text is KindName {
  return Object.hasOwn(KINDS, text);
}

/** `v1`, or `group/version`: the `apiVersion` that all code here writes. */
export function apiVersionOf(name: KindName): string {
  const { group, version } = KINDS[name];
  return group === '' ? version : `${group}/${version}`;
}
