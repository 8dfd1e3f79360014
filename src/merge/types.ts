/** What goes into the merge of rules and records, and what comes out. */
import type { ConditionDraft } from '../api/conditions.ts';
import type { IClusterImportRule } from '../api/generated/ClusterImportRule.ts';
import type {
  IImportBinding,
  ImportBindingSpecLoadBalancing,
  ImportBindingSpecOwner,
  ImportBindingSpecPort,
  ImportBindingSpecSource,
} from '../api/generated/ImportBinding.ts';
import type { IImport } from '../api/generated/Import.ts';
import type { IImportRule } from '../api/generated/ImportRule.ts';
import type { ObjectKey } from '../api/object.ts';
import type { ExportRecord, SourceKey } from '../api/record.ts';

export type AnyImportRule = IImportRule | IClusterImportRule;

/** A peer as the local Peer object describes it; self is one of them. */
export interface MergePeer {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** RFC 3339, of the local Peer object: no export of this peer counts as older. For self: the epoch of time. */
  readonly createdAt: string;
  /** It says itself what it exports, so that what it does not name is not there; absent: a ClusterLink peer tells nothing. */
  readonly tellsRecords?: boolean;
}

/** One export as its peer last said; self's own exports are among them. */
export interface MergeRecord {
  readonly peer: string;
  readonly record: ExportRecord;
}

export interface MergeInput {
  readonly self: string;
  readonly peers: readonly MergePeer[];
  readonly rules: readonly AnyImportRule[];
  /** Those of peers that are not among `peers` count for nothing. */
  readonly records: readonly MergeRecord[];
  /** The bindings in force: what is in use (type, meaning of a port, name) stays while its source exists. */
  readonly previous: readonly IImportBinding[];
  /** Namespaces that are there and stay: imports of others are skipped. Absent: every namespace is there (standalone). */
  readonly namespaces?: ReadonlySet<string>;
  /** ServiceImports that are not ours: their names are taken, and rules of mode Requested answer them. */
  readonly requests?: readonly ImportRequest[];
  /** ClusterLink's: they go before rules. */
  readonly imports?: readonly IImport[];
}

/** What a ServiceImport that somebody else made asks for. */
export interface ImportRequest {
  readonly key: ObjectKey;
  readonly type: 'ClusterSetIP' | 'Headless';
  /** `peer/namespace/name` of the exports that are to back it; absent: those that the rule would give its name. */
  readonly sources?: readonly string[];
  /** Ports that it declares: no others are imported. Empty: all. */
  readonly ports: readonly { readonly protocol: string; readonly port: number }[];
  /** Its clients' bytes are to wait for the answer of a source. */
  readonly earlyData?: 'Off';
  /** Why it cannot be read, for people: then it asks for nothing. */
  readonly problem?: string;
}

/** One import: everything of its binding and its ServiceImport but addresses. */
export interface MergedImport {
  readonly key: ObjectKey;
  readonly owner: ImportBindingSpecOwner;
  readonly type: 'ClusterSetIP' | 'Headless';
  readonly ports: readonly ImportBindingSpecPort[];
  readonly ipFamilies: readonly ('IPv4' | 'IPv6')[];
  /**
   * In order of precedence: those in use, then oldest first. One of which no port made it into the import has no ports: it
   * counts as an exporting cluster, and no connection can use it.
   */
  readonly sources: readonly ImportBindingSpecSource[];
  readonly sessionAffinity: 'None' | 'ClientIP';
  readonly sessionAffinityTimeoutSeconds?: number;
  readonly internalTrafficPolicy: 'Cluster' | 'Local';
  readonly trafficDistribution?: string;
  /** Of the whole import; what holds for one source is with that. */
  readonly loadBalancing: Required<Pick<ImportBindingSpecLoadBalancing, 'scheme' | 'localFirst'>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Nothing of a client is sent before its source has answered. */
  readonly earlyData?: 'Off';
  /** Somebody else's ServiceImport asks for it: in that object only addresses and status are ours. */
  readonly requested?: true;
  /** An ordinary Service of its name goes with it. */
  readonly service?: true;
  /** Its endpoints are added to a Service of its name that somebody else made. */
  readonly joinsService?: true;
  /** Further DNS names, in no other import; sorted. Absent: none. */
  readonly aliases?: readonly string[];
}

/** What an import made of one of its sources. */
export interface ConstituentVerdict {
  readonly source: SourceKey;
  readonly import: ObjectKey;
  /** What the exports of the import disagree on, the same for each of them (CFL-01), in the order of CFL-12. */
  readonly reasons: readonly string[];
  /** True when a property of this source was overruled. */
  readonly loses: boolean;
  /** For the owner of this export: names the import, and no other export. Empty when all agree. */
  readonly message: string;
}

/** Why an export that a rule selects is not, or not wholly, imported. */
export type SkipReason =
  | 'InvalidName'
  | 'LimitReached'
  | 'NameTaken'
  | 'NameTooLong'
  | 'NamespaceNotFound'
  | 'NoPorts'
  | 'NoTargetPort'
  | 'RestrictedNamespace'
  | 'SourceNotMerged'
  | 'TypeConflict'
  | 'UnknownFeature';

export interface RuleStatus {
  readonly kind: AnyImportRule['kind'];
  readonly key: ObjectKey;
  readonly matched: number;
  /** In order of (source, as). */
  readonly imported: readonly { readonly source: string; readonly as: string }[];
  /** In order of (source, reason); `reason` is a {@link SkipReason}. */
  readonly skipped: readonly { readonly source: string; readonly reason: string; readonly message: string }[];
  /** `Valid` and `Collision`. */
  readonly conditions: readonly ConditionDraft[];
}

/** A request that backs no import. */
export interface UnmetRequest {
  readonly key: ObjectKey;
  readonly reason: 'InvalidRequest' | 'NoRule' | 'NothingGranted';
  /** For people: what is wrong, and what to do. */
  readonly message: string;
}

/** What became of one of ClusterLink's Imports. */
export interface ImportStatus {
  readonly key: ObjectKey;
  /** `Valid`, `ImportTargetPortValid` and `SourcesResolved`. */
  readonly conditions: readonly ConditionDraft[];
  /** Why nothing is made of it; absent: it is among the imports. */
  readonly refusal?: {
    readonly reason: SkipReason | 'InvalidImport' | 'TargetPortTaken';
    readonly message: string;
  };
}

/** Imports in order of key, verdicts of (import, source), statuses of rule precedence, requests of key. */
export interface MergeResult {
  readonly imports: readonly MergedImport[];
  readonly verdicts: readonly ConstituentVerdict[];
  readonly ruleStatuses: readonly RuleStatus[];
  readonly unmet: readonly UnmetRequest[];
  /** Of all Imports that are there and stay, in order of key. */
  readonly importStatuses: readonly ImportStatus[];
}
