/** The fixture as a cluster has it: what CoreDNS' `multicluster` option reads. */
import type { ZoneEndpoint, ZonePort, ZoneService, ZoneSnapshot } from '#src/dns/snapshot.ts';
import type { Manifest } from './api-server/rest.ts';

/** Clusters that back every ClusterSetIP import of the fixture. */
const PEERS = ['east', 'west'];

/** ServiceImports, and EndpointSlices as KEP-1645 has them: one for each source cluster and family. */
export function toClusterObjects(
  { services }: ZoneSnapshot,
  notReady: Readonly<Record<string, readonly ZoneEndpoint[]>>,
): readonly Manifest[] {
  return services.flatMap((service) => [
    toServiceImport(service),
    ...(service.type === 'Headless'
      ? toHeadlessSlices(service, notReady[service.name] ?? [])
      : toClusterSetIpSlices(service)),
  ]);
}

function toServiceImport({ namespace, name, type, ips, ports }: ZoneService): Manifest {
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceImport',
    metadata: { namespace, name },
    spec: { type, ports: toPorts(ports), ...(type === 'Headless' ? {} : { ips }) },
  };
}

/** As our controller writes them (EPS-19): their one address is the clusterset IP. */
function toClusterSetIpSlices(service: ZoneService): readonly Manifest[] {
  return PEERS.flatMap((peer) =>
    service.ips.map((ip) =>
      toSlice(service, { peer, ip, endpoints: [{ addresses: [ip], conditions: { ready: true } }] }),
    ),
  );
}

function toHeadlessSlices(service: ZoneService, notReady: readonly ZoneEndpoint[]): readonly Manifest[] {
  const toEntries = (ready: boolean, endpoints: readonly ZoneEndpoint[]) =>
    endpoints.map(({ peer, hostname, addresses }) => ({
      peer,
      endpoint: { addresses, conditions: { ready }, ...(hostname === '' ? {} : { hostname }) },
    }));
  const entries = [...toEntries(true, service.endpoints), ...toEntries(false, notReady)];
  return [...Map.groupBy(entries, ({ peer }) => peer)].map(([peer, own]) =>
    toSlice(service, { peer, ip: '0.0.0.0', endpoints: own.map(({ endpoint }) => endpoint) }),
  );
}

interface SliceInput {
  readonly peer: string;
  /** Any of its family. */
  readonly ip: string;
  readonly endpoints: readonly object[];
}

function toSlice({ namespace, name, ports }: ZoneService, { peer, ip, endpoints }: SliceInput): Manifest {
  const family = ip.includes(':') ? 'IPv6' : 'IPv4';
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace,
      name: `${name}-${peer}-${family.toLowerCase()}`,
      labels: {
        'multicluster.kubernetes.io/service-name': name,
        'multicluster.kubernetes.io/source-cluster': peer,
      },
    },
    addressType: family,
    endpoints,
    ports: toPorts(ports),
  };
}

const toPorts = (ports: readonly ZonePort[]): readonly object[] =>
  ports.map(({ name, protocol, port }) => ({ ...(name === '' ? {} : { name }), protocol, port }));
