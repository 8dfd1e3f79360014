/** The names and records of one service. Pure. */
import { isLabel } from '../api/names.ts';
import { parseAddress, toDashedLabel, type IpAddress } from './address.ts';
import { ENDPOINTS_PER_SERVICE_MAX } from './limits.ts';
import { formatEndpoint, NAME_LENGTH_MAX } from './name.ts';
import type { ZoneEndpoint, ZoneService } from './snapshot.ts';
import { makeNames, type Names } from './zone-names.ts';
import type { NameEntry, Node } from './zone.ts';

export type Report = (why: string) => void;

/**
 * @param root - its name in a zone, or an alias of it; canonical.
 * @returns by whole name. Empty: the service has no names there, which is so for a headless one without ready endpoints (DNS-14).
 */
export function compileService(service: ZoneService, root: string, report: Report): ReadonlyMap<string, NameEntry> {
  if (root.length > NAME_LENGTH_MAX) {
    report(`${root} is longer than ${NAME_LENGTH_MAX} characters`);
    return new Map();
  }
  const all = collectNames({ service, root, report, visible: () => true });
  if (!hasLoopbackAddress(service)) {
    return new Map([...all].map(([name, node]) => [name, { forLoopback: node, forOthers: node }]));
  }
  const other = collectNames({ service, root, report, visible: ({ isLoopback }) => !isLoopback });
  return new Map([...all].map(([name, node]) => [name, { forLoopback: node, forOthers: other.get(name) }]));
}

/** True where clients on this machine and others see different things. */
function hasLoopbackAddress(service: ZoneService): boolean {
  const texts = [...service.ips, ...service.endpoints.flatMap(({ addresses }) => addresses)];
  return texts.some((text) => parseAddress(text)?.isLoopback === true);
}

interface ViewInput {
  readonly service: ZoneService;
  readonly root: string;
  readonly report: Report;
  /** Which addresses the clients of this view may learn. */
  readonly visible: (address: IpAddress) => boolean;
}

function collectNames(input: ViewInput): ReadonlyMap<string, Node> {
  const { service, root, report } = input;
  const names = makeNames(root, report);
  if (service.type === 'ClusterSetIP') {
    names.addBackend({ target: root, addresses: toAddresses(service.ips, input), ports: service.ports });
    return names.build();
  }
  if (service.endpoints.length === 0) return new Map();
  for (const endpoint of takeFairly(service.endpoints)) addEndpoint(endpoint, names, input);
  return names.build();
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

/** A name of its own for each (DNS-07), by which SRV records lead to it (DNS-08). */
function addEndpoint(endpoint: ZoneEndpoint, names: Names, input: ViewInput): void {
  const { service, root, report } = input;
  const first = endpoint.addresses.map(parseAddress).find((address) => address !== undefined);
  const hostname =
    endpoint.hostname === '' && first !== undefined ? toDashedLabel(first) : endpoint.hostname.toLowerCase();
  const target = formatEndpoint(hostname, endpoint.peer, root);
  const addresses = toAddresses(endpoint.addresses, input);
  // Without a name of its own an endpoint still counts among the service's addresses (DNS-26).
  if (!isLabel(hostname) || !isLabel(endpoint.peer) || target.length > NAME_LENGTH_MAX) {
    report('one of its endpoints can have no name of its own');
    names.addAddresses(addresses);
    return;
  }
  names.addHost(target, addresses);
  names.addBackend({ target, addresses, ports: endpoint.ports ?? service.ports });
}

function toAddresses(texts: readonly string[], { visible, report }: ViewInput): readonly IpAddress[] {
  const addresses: IpAddress[] = [];
  for (const text of texts) {
    const address = parseAddress(text);
    if (address === undefined) report('one of its addresses is not an IP address');
    else if (visible(address)) addresses.push(address);
  }
  return addresses;
}
