/** The names and records of one service. Pure. */
import { isLabel } from '../api/names.ts';
import { parseAddress, toDashedLabel, type IpAddress } from './address.ts';
import { ENDPOINTS_PER_SERVICE_MAX } from './limits.ts';
import { formatClusterSetName, NAME_LENGTH_MAX, type ServiceName } from './name.ts';
import type { ZoneEndpoint, ZoneService } from './snapshot.ts';
import { makeServiceNames, type Names } from './zone-names.ts';
import type { ServiceNodes } from './zone.ts';

export type Visible = (address: IpAddress) => boolean;
export type Report = (service: ZoneService, why: string) => void;

export interface ServiceInput {
  readonly service: ZoneService;
  readonly zone: string;
  /** Which addresses the clients of this view may learn. */
  readonly visible: Visible;
  readonly report: Report;
}

/** undefined: the service has no names, which is so for a headless one without ready endpoints (DNS-14). */
export function compileService(input: ServiceInput): ServiceNodes | undefined {
  const { service, zone, report } = input;
  const root: ServiceName = { namespace: service.namespace, service: service.name };
  const target = formatClusterSetName({ kind: 'service', ...root }, zone);
  if (target.length > NAME_LENGTH_MAX) {
    report(service, `its name in ${zone} is longer than ${NAME_LENGTH_MAX} characters`);
    return undefined;
  }
  const names = makeServiceNames({ root, zone, report: (why) => report(service, why) });
  if (service.type === 'ClusterSetIP') {
    names.addBackend({ target, addresses: toAddresses(service.ips, input), ports: service.ports });
    return names.build();
  }
  if (service.endpoints.length === 0) return undefined;
  for (const endpoint of takeFairly(service.endpoints)) addEndpoint(endpoint, { ...input, names, root });
  return names.build();
}

/** True where clients on this machine and others see different things. */
export function hasLoopbackAddress(service: ZoneService): boolean {
  const texts = [...service.ips, ...service.endpoints.flatMap(({ addresses }) => addresses)];
  return texts.some((text) => parseAddress(text)?.isLoopback === true);
}

/** The bound is shared out among the peers, so that a large one does not hide the others (DNS-05). */
function takeFairly(endpoints: readonly ZoneEndpoint[]): readonly ZoneEndpoint[] {
  if (endpoints.length <= ENDPOINTS_PER_SERVICE_MAX) return endpoints;
  const turns = new Map<string, number>();
  const ranked = endpoints.map((endpoint) => {
    const turn = turns.get(endpoint.peer) ?? 0;
    turns.set(endpoint.peer, turn + 1);
    return { endpoint, turn };
  });
  const inTurn = ranked.sort((a, b) => a.turn - b.turn).map(({ endpoint }) => endpoint);
  return inTurn.slice(0, ENDPOINTS_PER_SERVICE_MAX);
}

interface EndpointContext extends ServiceInput {
  readonly names: Names;
  readonly root: ServiceName;
}

/** A name of its own for each (DNS-07), by which SRV records lead to it (DNS-08). */
function addEndpoint(endpoint: ZoneEndpoint, context: EndpointContext): void {
  const { service, zone, names, root } = context;
  const first = endpoint.addresses.map(parseAddress).find((address) => address !== undefined);
  const hostname =
    endpoint.hostname === '' && first !== undefined ? toDashedLabel(first) : endpoint.hostname.toLowerCase();
  const name = { kind: 'endpoint', hostname, peer: endpoint.peer, ...root } as const;
  const target = formatClusterSetName(name, zone);
  const addresses = toAddresses(endpoint.addresses, context);
  // Without a name of its own an endpoint still counts among the service's addresses (DNS-26).
  if (!isLabel(hostname) || !isLabel(endpoint.peer) || target.length > NAME_LENGTH_MAX) {
    context.report(service, 'one of its endpoints can have no name of its own');
    names.addAddresses(addresses);
    return;
  }
  names.addHost(name, addresses);
  names.addBackend({ target, addresses, ports: endpoint.ports ?? service.ports });
}

function toAddresses(texts: readonly string[], { service, visible, report }: ServiceInput): readonly IpAddress[] {
  const addresses: IpAddress[] = [];
  for (const text of texts) {
    const address = parseAddress(text);
    if (address === undefined) report(service, 'one of its addresses is not an IP address');
    else if (visible(address)) addresses.push(address);
  }
  return addresses;
}
