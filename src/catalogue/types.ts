/** What this peer offers: one entry for each ServiceExport, and each Export of another name. All values survive structured clone. */
import type { IEndpointSlice } from '../api/generated/EndpointSlice.ts';
import type { IExport } from '../api/generated/Export.ts';
import type { IService } from '../api/generated/Service.ts';
import type { IServiceExport } from '../api/generated/ServiceExport.ts';
import type { ProxyProtocol } from '../api/proxy-protocol.ts';
import type { ExportRecord } from '../api/record.ts';

export interface CatalogueInput {
  readonly serviceExports: readonly IServiceExport[];
  readonly exports?: readonly IExport[];
  /** `namespace/name` of Exports whose host is no permitted target: they have no endpoint. */
  readonly forbiddenHosts?: ReadonlySet<string>;
  readonly services: readonly IService[];
  readonly endpointSlices: readonly IEndpointSlice[];
  /** Restricted namespaces (`isRestrictedNamespace`) that the administrator lists: exports of these are offered all the same. */
  readonly allowedNamespaces: readonly string[];
  /** Namespaces that are being deleted: their exports count as withdrawn (EXP-21). */
  readonly terminatingNamespaces?: ReadonlySet<string>;
}

export interface Endpoint {
  /** An IP address or a DNS name (resolved and filtered when dialled). */
  readonly host: string;
  readonly port: number;
}

export interface CataloguePort {
  readonly name: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** The port of the Service. */
  readonly port: number;
  /** Ready endpoints of this port, in order of (host, port). */
  readonly endpoints: readonly Endpoint[];
  /** Its endpoints expect a header of the PROXY protocol ahead of each connection; absent: none. */
  readonly proxyProtocol?: ProxyProtocol;
}

/** An export that may be offered. */
export interface CatalogueEntry {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly record: ExportRecord;
  readonly ports: readonly CataloguePort[];
  /** The TCP port of a ClusterLink peer that asks for the export by its name alone; absent: there is none. */
  readonly defaultPort?: number;
  /** Labels of the export object, which policies may select; not those that it exports. */
  readonly labels: Readonly<Record<string, string>>;
  /** Peers that alone may use it; absent means: whoever the policies allow. */
  readonly exportTo?: readonly string[];
}

/** Whether an export may be offered (condition `Valid`, of an Export `ExportValid`). */
export interface ExportVerdict {
  readonly kind: 'ServiceExport' | 'Export';
  readonly namespace: string;
  readonly name: string;
  readonly valid: boolean;
  readonly reason:
    | 'Valid'
    | 'NoService'
    | 'NoPort'
    | 'InvalidServiceType'
    | 'InvalidService'
    | 'InvalidExport'
    | 'NameTaken'
    | 'RestrictedNamespace';
  /** For people; when valid, what is not as it was asked for, else empty. */
  readonly message: string;
}

/** Both lists in order of (namespace, name), ServiceExports first. A withdrawn export (EXP-21) is in neither. */
export interface Catalogue {
  readonly entries: readonly CatalogueEntry[];
  readonly verdicts: readonly ExportVerdict[];
}
