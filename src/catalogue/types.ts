/** What this peer offers: one entry for each ServiceExport. All values survive structured clone. */
import type { ExportRecord } from '../api/record.ts';

export interface Endpoint {
  /** An IP address, or standalone also a DNS name (resolved and filtered when dialled). */
  readonly host: string;
  readonly port: number;
}

export interface CataloguePort {
  readonly name: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** The port of the Service. */
  readonly port: number;
  /** Ready endpoints of this port. */
  readonly endpoints: readonly Endpoint[];
}

/** A ServiceExport that may be offered. */
export interface CatalogueEntry {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly record: ExportRecord;
  readonly ports: readonly CataloguePort[];
  /** Labels of the export, which policies may select. */
  readonly labels: Readonly<Record<string, string>>;
  /** Peers that alone may use it; absent means: whoever the policies allow. */
  readonly exportTo?: readonly string[];
}

/** Whether a ServiceExport may be offered (condition `Valid`). */
export interface ExportVerdict {
  readonly namespace: string;
  readonly name: string;
  readonly valid: boolean;
  readonly reason:
    'Valid' | 'NoService' | 'InvalidServiceType' | 'InvalidService' | 'InvalidExport' | 'RestrictedNamespace';
  /** For people; empty when valid. */
  readonly message: string;
}

export interface Catalogue {
  readonly entries: readonly CatalogueEntry[];
  readonly verdicts: readonly ExportVerdict[];
}
