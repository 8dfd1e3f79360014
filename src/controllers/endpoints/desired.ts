/**
 * The EndpointSlices of one import in Kubernetes: pure.
 *
 *   Service (derived, or of the import's own name) ─ slices ─▶ gateway pods at the target ports        for kube-proxy
 *   ServiceImport ─ MCS slices, one for each source cluster ─▶ clusterset IP at the service's ports    for readers (EPS-19)
 *
 * UDP and SCTP ports stand in no slice: gateways do not carry them yet, and a client is refused at once.
 */
import type { Applied } from '../../api/applied.ts';
import type { EndpointSliceEndpoint, EndpointSlicePort } from '../../api/generated/EndpointSlice.ts';
import type { IImportBinding, ImportBindingSpecPort } from '../../api/generated/ImportBinding.ts';
import type { IService } from '../../api/generated/Service.ts';
import type { IServiceImport } from '../../api/generated/ServiceImport.ts';
import { LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { compareText, formatKey, type ObjectKey } from '../../api/object.ts';
import { formatSource } from '../../api/record.ts';
import { SERVICE_NAME_LABEL } from '../../catalogue/endpoints.ts';
import { derivedServiceName, hashLabel } from '../derived-service/name.ts';
import { appProtocolOf, servicePortNames } from '../derived-service/ports.ts';
import { ENDPOINTS_PER_SLICE_MAX } from '../limits.ts';
import { familyOf, type Family, type Gateway } from './gateways.ts';

/** Not the stock controller's value (EPS-06). */
const SLICE_MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
/** kube-proxy passes over slices that name another proxy. */
const PROXY_NAME = 'service.kubernetes.io/service-proxy-name';
export const MCS_SERVICE_NAME = 'multicluster.kubernetes.io/service-name';
export const MCS_SOURCE_CLUSTER = 'multicluster.kubernetes.io/source-cluster';

const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];

export interface EndpointsInput {
  readonly binding: IImportBinding;
  /** Its ServiceImport, which the MCS slices go with; absent: it has none yet. */
  readonly serviceImport: IServiceImport | undefined;
  /** Those that are ready. */
  readonly gateways: readonly Gateway[];
  /** The Service of the import's own name: ours, or the one that its endpoints are added to; absent: there is none. */
  readonly namedService: IService | undefined;
}

/** A headless import has none: its endpoints would be addresses that nobody here can dial. */
export function desiredSlices(input: EndpointsInput): Applied<'EndpointSlice'>[] {
  const { binding, namedService } = input;
  if (binding.spec.type === 'Headless') return [];
  const key = binding.spec.import;
  const ownNames = servicePortNames(binding.spec.ports);
  const namesIn = (service: IService): string[] =>
    binding.spec.joinsService === true ? joinedPortNames(binding, service) : ownNames;
  const derived = { namespace: SYSTEM_NAMESPACE, name: derivedServiceName(key) };
  return [
    ...desiredServiceSlices(input, derived, ownNames),
    ...(namedService === undefined ? [] : desiredServiceSlices(input, key, namesIn(namedService))),
    ...desiredSourceSlices(input),
  ];
}

/** Ports that the same gateways listen on: usually all of an import, and then there is one group. */
interface PortGroup {
  readonly ports: readonly EndpointSlicePort[];
  readonly gateways: readonly Gateway[];
}

function desiredServiceSlices(
  { binding, gateways }: EndpointsInput,
  service: ObjectKey,
  /** Of the import's ports, in their order. */
  names: readonly string[],
): Applied<'EndpointSlice'>[] {
  return FAMILIES.flatMap((family) =>
    groupPorts(binding, { gateways: gateways.filter(({ addresses }) => addresses[family] !== undefined), names }).map(
      ({ ports, gateways: listening }, index) => ({
        apiVersion: 'discovery.k8s.io/v1' as const,
        kind: 'EndpointSlice' as const,
        metadata: {
          namespace: service.namespace,
          name: `${service.name}-${hashLabel(`${formatKey(service)} ${family} ${index}`)}`,
          labels: { ...labelsOf(binding.spec.import), [SERVICE_NAME_LABEL]: service.name },
        },
        addressType: family,
        endpoints: listening
          .slice(0, ENDPOINTS_PER_SLICE_MAX)
          .map((gateway) => toEndpoint(gateway, gateway.addresses[family] ?? '')),
        ports: [...ports],
      }),
    ),
  );
}

/** Only gateways that say that they listen: an endpoint exists only where a listener does (DESIGN §3.9). */
function groupPorts(
  { spec, status }: IImportBinding,
  { gateways, names }: { readonly gateways: readonly Gateway[]; readonly names: readonly string[] },
): PortGroup[] {
  const listening = new Map((status?.gateways ?? []).map(({ name, listening: ports }) => [name, new Set(ports)]));
  const groups = new Map<string, { ports: EndpointSlicePort[]; gateways: readonly Gateway[] }>();
  spec.ports.forEach((port, index) => {
    const { targetPort } = port;
    if (targetPort === undefined || !isServed(port)) return;
    const present = gateways.filter(({ name }) => listening.get(name)?.has(targetPort) === true);
    if (present.length === 0) return;
    const id = present.map(({ name }) => name).join(' ');
    const group = groups.get(id) ?? { ports: [], gateways: present };
    group.ports.push({ name: names[index] ?? '', protocol: port.protocol, port: targetPort, ...appProtocolOf(port) });
    groups.set(id, group);
  });
  return [...groups.values()];
}

/**
 * kube-proxy joins a Service and its slices by the names of ports, so that a slice has those of the Service that it is added to:
 * of its port of the same number, or of its only one.
 */
function joinedPortNames({ spec }: IImportBinding, service: IService): string[] {
  const offered = (service.spec?.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  const [first, ...others] = offered;
  return spec.ports.map(({ port }) => {
    const same = offered.find((candidate) => candidate.port === port);
    return (same ?? (others.length === 0 ? first : undefined))?.name ?? '';
  });
}

function toEndpoint({ name, uid, nodeName }: Gateway, address: string): EndpointSliceEndpoint {
  return {
    addresses: [address],
    conditions: { ready: true, serving: true, terminating: false },
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef: { kind: 'Pod', namespace: SYSTEM_NAMESPACE, name, uid },
  };
}

/**
 * One slice for each source cluster and family (EPS-02 to EPS-06, EPS-16, EPS-20): clients dial the clusterset IP, and a gateway
 * finds the way.
 *
 * They carry `kubernetes.io/service-name`, since programs fail on slices without it (EPS-13): the name of the derived Service, which
 * is no Service of this namespace, so that neither kube-proxy nor the cluster's DNS takes them for a local Service's.
 */
function desiredSourceSlices({ binding, serviceImport }: EndpointsInput): Applied<'EndpointSlice'>[] {
  const uid = serviceImport?.metadata?.uid;
  if (serviceImport === undefined || uid === undefined) return [];
  const { import: key, ips, sources } = binding.spec;
  const owner = { apiVersion: serviceImport.apiVersion, kind: 'ServiceImport', name: key.name, uid };
  const clusters = [...Map.groupBy(sources, ({ peer }) => peer)].sort(([a], [b]) => compareText(a, b));
  return clusters.flatMap(([cluster, own]) => {
    const ports = portsOfCluster(binding, own);
    // A source none of whose ports made it into the import gets no traffic (CFL-22).
    if (ports.length === 0) return [];
    const ready = own.some((source) => source.readyEndpoints > 0 && !isAway(binding, source));
    return ips.map((ip) => ({
      apiVersion: 'discovery.k8s.io/v1' as const,
      kind: 'EndpointSlice' as const,
      metadata: {
        namespace: key.namespace,
        name: `${key.name}-${hashLabel(`${formatKey(key)} ${cluster} ${familyOf(ip)}`)}`,
        labels: {
          ...labelsOf(key),
          [MCS_SERVICE_NAME]: key.name,
          [MCS_SOURCE_CLUSTER]: cluster,
          [SERVICE_NAME_LABEL]: derivedServiceName(key),
          [PROXY_NAME]: MANAGED_BY,
        },
        // Whatever happens to this controller, the slices go with the import.
        ownerReferences: [owner],
      },
      addressType: familyOf(ip),
      endpoints: [{ addresses: [ip], conditions: { ready, serving: ready, terminating: false } }],
      ports,
    }));
  });
}

type Sources = IImportBinding['spec']['sources'];

/** The ports of the import that these sources expose, under the import's names (CFL-21, EPS-14). */
function portsOfCluster({ spec }: IImportBinding, sources: Sources): EndpointSlicePort[] {
  const exposed = new Set(sources.flatMap(({ ports }) => ports.map(({ protocol, port }) => `${protocol}/${port}`)));
  return spec.ports
    .filter((port) => isServed(port) && exposed.has(`${port.protocol}/${port.port}`))
    .map((port) => ({ name: port.name, protocol: port.protocol, port: port.port, ...appProtocolOf(port) }));
}

/** No gateway can use it, as far as they said (EPS-10). What nobody said yet counts as usable. */
function isAway({ status }: IImportBinding, source: Sources[number]): boolean {
  const text = formatSource(source);
  const said = (status?.gateways ?? []).flatMap(({ sources }) =>
    sources.filter((other) => formatSource(other) === text),
  );
  return said.length > 0 && said.every(({ usable }) => !usable);
}

function isServed({ protocol }: ImportBindingSpecPort): boolean {
  return protocol === 'TCP';
}

function labelsOf({ namespace, name }: ObjectKey): Record<string, string> {
  return {
    [LABELS.managedBy]: MANAGED_BY,
    [SLICE_MANAGED_BY]: MANAGED_BY,
    [LABELS.importNamespace]: namespace,
    [LABELS.importName]: name,
  };
}
