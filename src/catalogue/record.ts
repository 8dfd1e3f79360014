/** The export record: what other peers are told of a Service (EXP-05) and its export (EXP-06). Never an address. */
import type { IExport } from '../api/generated/Export.ts';
import type { IService } from '../api/generated/Service.ts';
import type { IServiceExport } from '../api/generated/ServiceExport.ts';
import type { ExportRecord } from '../api/record.ts';
import { toTimestamp } from '../api/timestamp.ts';
import { exportableAnnotations, exportableLabels } from './exported-keys.ts';

/** What the API server writes for a Service that asks for affinity without a time (3 hours). */
const AFFINITY_TIMEOUT_DEFAULT_SECONDS = 10_800;

export interface RecordInput {
  readonly object: IServiceExport | IExport;
  readonly service: IService;
  readonly readyEndpoints: number;
  readonly hostnames: readonly string[];
}

/**
 * A record with the values that an API server would have defaulted, so that a Service in a directory and one in a cluster
 * that mean the same never conflict. `createdAt` is the age of the export object (EXP-20), in seconds.
 */
export function toRecord({ object, service, readyEndpoints, hostnames }: RecordInput): ExportRecord {
  const { metadata } = object;
  // A ClusterLink Export exports neither labels nor annotations.
  const exported = object.kind === 'ServiceExport' ? object.spec : undefined;
  const { spec = {} } = service;
  const affinity = spec.sessionAffinity ?? 'None';
  return {
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    type: isHeadless(service) ? 'Headless' : 'ClusterSetIP',
    ports: portsOf(service),
    // The API server always fills it in; addresses of standalone peers are IPv4.
    ipFamilies: spec.ipFamilies === undefined || spec.ipFamilies.length === 0 ? ['IPv4'] : [...spec.ipFamilies],
    sessionAffinity: affinity,
    ...(affinity === 'ClientIP' ? { sessionAffinityTimeoutSeconds: affinityTimeoutSeconds(service) } : {}),
    internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster',
    ...(spec.trafficDistribution === undefined ? {} : { trafficDistribution: spec.trafficDistribution }),
    labels: exportableLabels(exported?.exportedLabels),
    annotations: exportableAnnotations(exported?.exportedAnnotations),
    createdAt: toTimestamp(Date.parse(metadata?.creationTimestamp ?? '')),
    readyEndpoints,
    ...(isHeadless(service) ? { hostnames: [...hostnames] } : {}),
    requires: [],
  };
}

export function isHeadless({ spec }: IService): boolean {
  return spec?.clusterIP === 'None';
}

/** The Service's ports in its order, with the default protocol written out (CRD-07) and '' for a port without a name. */
export function portsOf({ spec }: IService): ExportRecord['ports'] {
  return (spec?.ports ?? []).map(({ name = '', protocol = 'TCP', port, appProtocol }) => ({
    name,
    protocol,
    port,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
}

function affinityTimeoutSeconds({ spec }: IService): number {
  return spec?.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_TIMEOUT_DEFAULT_SECONDS;
}
