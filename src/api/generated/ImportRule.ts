// Generated from crds/mcs.clusterlink.net_importrules.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface ImportRuleSpecPeersSelectorMatchExpression {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  values?: string[];
}

export interface ImportRuleSpecPeersSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: ImportRuleSpecPeersSelectorMatchExpression[];
}

export interface ImportRuleSpecPeers {
  names?: string[];
  selector?: ImportRuleSpecPeersSelector;
  /** Every peer, self included. */
  all?: boolean;
}

export interface ImportRuleSpecExportsSelectorMatchExpression {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  values?: string[];
}

export interface ImportRuleSpecExportsSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: ImportRuleSpecExportsSelectorMatchExpression[];
}

export interface ImportRuleSpecExports {
  namespaces?: string[];
  names?: string[];
  selector?: ImportRuleSpecExportsSelector;
  /** Every export; stands alone. */
  all?: boolean;
}

export interface ImportRuleSpecInto {
  /** A template with {name}, {namespace} and {peer}; default is the name of the export. */
  name?: string;
}

export interface ImportRuleSpecLoadBalancingPeer {
  name: string;
  /** Lower goes first; a higher one is used only while none of a lower one can be. Default 0. */
  priority?: number;
  /** The share of connections among those of one priority, for RoundRobin and Random. 0: only while no other of the priority can be used. Default 1. */
  weight?: number;
}

export interface ImportRuleSpecLoadBalancing {
  /** How one of several sources is chosen for a connection. RoundRobin (default): in turn. Random: by chance. Static: the first in the order of the rule that can be used. LeastLatency: the nearest. */
  scheme?: 'RoundRobin' | 'Random' | 'Static' | 'LeastLatency';
  /** Within a priority, prefer an export of this peer itself. Default yes; no with Static, where the order of the rule says it. */
  localFirst?: boolean;
  /** What holds for the exports of single peers, each peer once. With Static also their order: first those listed here, then as spec.peers.names has them. */
  peers?: ImportRuleSpecLoadBalancingPeer[];
}

export interface ImportRuleSpecMetadata {
  /** Prefixes of the keys of exported labels and annotations that may be copied. */
  allow?: string[];
}

export interface ImportRuleSpec {
  /** Higher wins; then the older rule; then the name. */
  priority?: number;
  /** Always (default): every matching export is imported. Requested: only where an import asks for it. */
  mode?: 'Always' | 'Requested';
  /** Whose exports. Exactly one of names, selector and all. */
  peers: ImportRuleSpecPeers;
  /** Which of their exports; what is given must all match. An empty object is refused. */
  exports: ImportRuleSpecExports;
  /** The space in which these exports may be named. */
  into?: ImportRuleSpecInto;
  /** May exports of different source namespaces back one import? Default no. */
  merge?: boolean;
  /** Also an ordinary Service of the name of the import? In Kubernetes only. Default no. */
  service?: boolean;
  /** Further DNS names that are answered like the import; {name} and {namespace} stand for those of the import. */
  aliases?: string[];
  loadBalancing?: ImportRuleSpecLoadBalancing;
  metadata?: ImportRuleSpecMetadata;
}

export interface ImportRuleStatusImported {
  /** peer/namespace/name */
  source: string;
  /** namespace/name */
  as: string;
}

export interface ImportRuleStatusSkipped {
  source: string;
  reason: string;
  message?: string;
}

export interface ImportRuleStatus {
  conditions?: Condition[];
  /** How many exports the rule selects. */
  matched?: number;
  imported?: ImportRuleStatusImported[];
  skipped?: ImportRuleStatusSkipped[];
}

/** Certain exports of certain peers may become names in the namespace of this rule. */
export interface IImportRule {
  apiVersion: 'mcs.clusterlink.net/v1alpha1';
  kind: 'ImportRule';
  metadata?: ObjectMeta;
  spec: ImportRuleSpec;
  status?: ImportRuleStatus;
}

export interface ImportRule extends IImportRule {}
export class ImportRule extends Model<IImportRule> {
  static readonly apiVersion = 'mcs.clusterlink.net/v1alpha1' as const;
  static readonly kind = 'ImportRule' as const;
  static readonly is = createTypeMetaGuard<IImportRule>(ImportRule);

  constructor(data?: ModelData<IImportRule>) {
    super();
    this.setDefinedProps({
      apiVersion: ImportRule.apiVersion,
      kind: ImportRule.kind,
      ...data,
    } as ModelData<IImportRule>);
  }
}
setValidateFunc(ImportRule, validateModel(ImportRule));
