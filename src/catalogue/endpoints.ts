/** Where the ready endpoints of a Service listen: its annotation, or its EndpointSlices. */
import type { EndpointSliceEndpoint, EndpointSlicePort, IEndpointSlice } from '../api/generated/EndpointSlice.ts';
import type { IService } from '../api/generated/Service.ts';
import { AppError } from '../api/errors.ts';
import { ANNOTATIONS, isLabel, LABELS, MANAGED_BY } from '../api/names.ts';
import { compareText } from '../api/object.ts';
import { parseEndpointsAnnotation } from '../api/validation/endpoints.ts';
import { ENDPOINTS_PER_PORT_MAX, RECORD_HOSTNAMES_MAX } from './limits.ts';
import { portsOf } from './record.ts';
import type { CataloguePort, Endpoint } from './types.ts';

/** Kubernetes' label on the slices of a Service. Slices of imports do not carry it (EPS-13). */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

export interface ServiceEndpoints {
  /** In the Service's order. */
  readonly ports: readonly CataloguePort[];
  /** As many as the port has that has most: an endpoint that serves two ports is one. */
  readonly readyEndpoints: number;
  /** Host names of ready endpoints that have one, sorted. */
  readonly hostnames: readonly string[];
}

/**
 * @param slices - those that carry the Service's label; not looked at when the Service has the annotation.
 * @throws {AppError} `ERR_INVALID_OBJECT` when the annotation cannot be read or does not fit the Service.
 */
export function endpointsOf(service: IService, slices: readonly IEndpointSlice[]): ServiceEndpoints {
  const annotation = service.metadata?.annotations?.[ANNOTATIONS.endpoints];
  const found = annotation === undefined ? fromSlices(service, slices) : fromAnnotation(service, annotation);
  const distinct = found.ports.map(({ endpoints, ...port }) => ({ ...port, endpoints: distinctEndpoints(endpoints) }));
  return {
    readyEndpoints: Math.max(0, ...distinct.map(({ endpoints }) => endpoints.length)),
    ports: distinct.map((port) => ({ ...port, endpoints: port.endpoints.slice(0, ENDPOINTS_PER_PORT_MAX) })),
    hostnames: [...new Set(found.hostnames)].sort(compareText).slice(0, RECORD_HOSTNAMES_MAX),
  };
}

interface Found {
  readonly ports: readonly CataloguePort[];
  readonly hostnames: readonly string[];
}

/** A group without a port name stands for the only port there is. */
function fromAnnotation(service: IService, text: string): Found {
  const groups = parseEndpointsAnnotation(text);
  const ports = portsOf(service);
  for (const { portName } of groups) {
    const isFound = portName === undefined ? ports.length === 1 : ports.some(({ name }) => name === portName);
    if (isFound) continue;
    const problem = portName === undefined ? 'must say which port' : `names a port that the Service lacks: ${portName}`;
    throw new AppError('ERR_INVALID_OBJECT', `annotation ${ANNOTATIONS.endpoints} ${problem}`);
  }
  return {
    ports: ports.map(({ name, protocol, port }) => ({
      name,
      protocol,
      port,
      endpoints: groups
        .filter(({ portName = name }) => portName === name)
        .flatMap(({ endpoints }) => endpoints.map((endpoint) => ({ host: endpoint.host, port: endpoint.port }))),
    })),
    hostnames: [],
  };
}

/** Service port and slice port meet by name, as in kube-proxy. */
function fromSlices(service: IService, slices: readonly IEndpointSlice[]): Found {
  // An Import that joins a Service adds slices that lead to gateways: an import is never a source (DESIGN §7).
  const own = slices.filter(({ metadata }) => metadata?.labels?.[LABELS.managedBy] !== MANAGED_BY);
  const ready = own.map(({ ports = [], endpoints }) => ({ ports, endpoints: endpoints.filter(isReady) }));
  return {
    ports: portsOf(service).map(({ name, protocol, port }) => ({
      name,
      protocol,
      port,
      endpoints: ready.flatMap(({ ports, endpoints }) =>
        ports.filter((other) => isPort(other, { name, protocol })).flatMap((other) => toEndpoints(endpoints, other)),
      ),
    })),
    hostnames: ready.flatMap(({ endpoints }) =>
      endpoints.flatMap(({ hostname }) => (hostname !== undefined && isLabel(hostname) ? [hostname] : [])),
    ),
  };
}

/** Unset means ready (EPS-12, DNS-20). One that terminates gets no new connections, even where it counts as ready. */
function isReady({ conditions }: EndpointSliceEndpoint): boolean {
  return conditions?.ready !== false && conditions?.terminating !== true;
}

function isPort(port: EndpointSlicePort, wanted: Pick<CataloguePort, 'name' | 'protocol'>): boolean {
  return (port.name ?? '') === wanted.name && (port.protocol ?? 'TCP') === wanted.protocol;
}

/** All addresses of one endpoint reach the same thing, so the first is enough (EndpointSlice API, `addresses`). */
function toEndpoints(endpoints: readonly EndpointSliceEndpoint[], { port }: EndpointSlicePort): Endpoint[] {
  return endpoints.flatMap(({ addresses: [host] }) =>
    host === undefined || port === undefined ? [] : [{ host, port }],
  );
}

function distinctEndpoints(endpoints: readonly Endpoint[]): Endpoint[] {
  const byText = new Map(endpoints.map((endpoint) => [`${endpoint.host} ${endpoint.port}`, endpoint]));
  return [...byText.values()].sort((a, b) => compareText(a.host, b.host) || a.port - b.port);
}
