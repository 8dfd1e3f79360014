/** Builders of what the catalogue reads. */
import type { EndpointSliceEndpoint, EndpointSlicePort, IEndpointSlice } from '#src/api/generated/EndpointSlice.ts';
import type { IService } from '#src/api/generated/Service.ts';
import type { IServiceExport } from '#src/api/generated/ServiceExport.ts';
import type { ObjectMeta } from '#src/api/object.ts';
import { buildCatalogue } from '#src/catalogue/build.ts';
import type { Catalogue, CatalogueEntry, CatalogueInput, ExportVerdict } from '#src/catalogue/types.ts';

/** `namespace/name` */
function metadataOf(key: string): ObjectMeta {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}

export function serviceExport(
  key = 'shop/db',
  metadata: ObjectMeta = {},
  spec: IServiceExport['spec'] = {},
): IServiceExport {
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceExport',
    metadata: { ...metadataOf(key), uid: 'u-1', creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
    spec,
  };
}

export function service(
  key = 'shop/db',
  spec: IService['spec'] = {},
  annotations: Record<string, string> = {},
): IService {
  const ports = [{ name: 'pg', port: 5432 }];
  return { apiVersion: 'v1', kind: 'Service', metadata: { ...metadataOf(key), annotations }, spec: { ports, ...spec } };
}

export function slice(
  endpoints: EndpointSliceEndpoint[],
  ports: EndpointSlicePort[] = [{ name: 'pg', port: 15432 }],
  key = 'shop/db',
): IEndpointSlice {
  const { namespace, name } = metadataOf(key);
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: namespace ?? '', name: `${name}-x`, labels: { 'kubernetes.io/service-name': name ?? '' } },
    addressType: 'IPv4',
    endpoints,
    ports,
  };
}

export function build(input: Partial<CatalogueInput>): Catalogue {
  return buildCatalogue({
    serviceExports: [serviceExport()],
    services: [service()],
    endpointSlices: [],
    allowedNamespaces: [],
    ...input,
  });
}

/** The only entry; fails by its absence. */
export function entryOf(input: Partial<CatalogueInput>): CatalogueEntry {
  const { entries, verdicts } = build(input);
  const [entry] = entries;
  if (entry === undefined || entries.length > 1) throw new Error(`not one entry: ${JSON.stringify(verdicts)}`);
  return entry;
}

/** The only verdict, of an export that is not offered. */
export function refusalOf(input: Partial<CatalogueInput>): ExportVerdict {
  const { entries, verdicts } = build(input);
  const [verdict] = verdicts;
  if (verdict === undefined || entries.length > 0) throw new Error(`not refused: ${JSON.stringify(verdicts)}`);
  return verdict;
}
