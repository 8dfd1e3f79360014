// Generated from crds/mcs.clusterlink.net_clusterimportrules.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface ClusterImportRuleSpecPeersSelectorMatchExpression {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  values?: string[];
}

export interface ClusterImportRuleSpecPeersSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: ClusterImportRuleSpecPeersSelectorMatchExpression[];
}

export interface ClusterImportRuleSpecPeers {
  names?: string[];
  selector?: ClusterImportRuleSpecPeersSelector;
  /** Every peer, self included. */
  all?: boolean;
}

export interface ClusterImportRuleSpecExportsSelectorMatchExpression {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  values?: string[];
}

export interface ClusterImportRuleSpecExportsSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: ClusterImportRuleSpecExportsSelectorMatchExpression[];
}

export interface ClusterImportRuleSpecExports {
  namespaces?: string[];
  names?: string[];
  selector?: ClusterImportRuleSpecExportsSelector;
  /** Every export; stands alone. */
  all?: boolean;
}

export interface ClusterImportRuleSpecInto {
  /** The namespace of the imports. */
  namespace?: string;
  /** The namespace of the export. */
  sameNamespace?: boolean;
  /** A template with {name}, {namespace} and {peer}; default is the name of the export. */
  name?: string;
}

export interface ClusterImportRuleSpecLoadBalancingPeer {
  name: string;
  /** Lower goes first; a higher one is used only while none of a lower one can be. Default 0. */
  priority?: number;
  /** The share of connections among those of one priority, for RoundRobin and Random. 0: only while no other of the priority can be used. Default 1. */
  weight?: number;
}

export interface ClusterImportRuleSpecLoadBalancing {
  /** How one of several sources is chosen for a connection. RoundRobin (default): in turn. Random: by chance. Static: the first in the order of the rule that can be used. LeastLatency: the nearest. */
  scheme?: 'RoundRobin' | 'Random' | 'Static' | 'LeastLatency';
  /** Within a priority, prefer an export of this peer itself. Default yes; no with Static, where the order of the rule says it. */
  localFirst?: boolean;
  /** What holds for the exports of single peers, each peer once. With Static also their order: first those listed here, then as spec.peers.names has them. */
  peers?: ClusterImportRuleSpecLoadBalancingPeer[];
}

export interface ClusterImportRuleSpecMetadata {
  /** Prefixes of the keys of exported labels and annotations that may be copied. */
  allow?: string[];
}

export interface ClusterImportRuleSpec {
  /** Higher wins; then the older rule; then the name. */
  priority?: number;
  /** Always (default): every matching export is imported. Requested: only where an import asks for it. */
  mode?: 'Always' | 'Requested';
  /** Whose exports. Exactly one of names, selector and all. */
  peers: ClusterImportRuleSpecPeers;
  /** Which of their exports; what is given must all match. An empty object is refused. */
  exports: ClusterImportRuleSpecExports;
  /** The space in which these exports may be named. */
  into: ClusterImportRuleSpecInto;
  /** May exports of different source namespaces back one import? Default no. */
  merge?: boolean;
  /** Also an ordinary Service of the name of the import? In Kubernetes only. Default no. */
  service?: boolean;
  /** Further DNS names that are answered like the import; {name} and {namespace} stand for those of the import. */
  aliases?: string[];
  loadBalancing?: ClusterImportRuleSpecLoadBalancing;
  metadata?: ClusterImportRuleSpecMetadata;
}

export interface ClusterImportRuleStatusImported {
  /** peer/namespace/name */
  source: string;
  /** namespace/name */
  as: string;
}

export interface ClusterImportRuleStatusSkipped {
  source: string;
  reason: string;
  message?: string;
}

export interface ClusterImportRuleStatus {
  conditions?: Condition[];
  /** How many exports the rule selects. */
  matched?: number;
  imported?: ClusterImportRuleStatusImported[];
  skipped?: ClusterImportRuleStatusSkipped[];
}

/** Certain exports of certain peers may become certain local names. */
export interface IClusterImportRule {
  apiVersion: 'mcs.clusterlink.net/v1alpha1';
  kind: 'ClusterImportRule';
  metadata?: ObjectMeta;
  spec: ClusterImportRuleSpec;
  status?: ClusterImportRuleStatus;
}

export interface ClusterImportRule extends IClusterImportRule {}
export class ClusterImportRule extends Model<IClusterImportRule> {
  static readonly apiVersion = 'mcs.clusterlink.net/v1alpha1' as const;
  static readonly kind = 'ClusterImportRule' as const;
  static readonly is = createTypeMetaGuard<IClusterImportRule>(ClusterImportRule);

  constructor(data?: ModelData<IClusterImportRule>) {
    super();
    this.setDefinedProps({
      apiVersion: ClusterImportRule.apiVersion,
      kind: ClusterImportRule.kind,
      ...data,
    } as ModelData<IClusterImportRule>);
  }
}
setValidateFunc(ClusterImportRule, validateModel(ClusterImportRule));
