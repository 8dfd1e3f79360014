/** From a snapshot to a zone that answers without further thought. Pure. */
import { isLabel } from '../api/names.ts';
import { SKIPPED_REPORTED_MAX } from './limits.ts';
import { canonicalName } from './name.ts';
import { TYPE, type DnsRecord, type SoaRecord } from './records.ts';
import type { ZoneService, ZoneSnapshot } from './snapshot.ts';
import { compileService, hasLoopbackAddress, type Report, type Visible } from './zone-service.ts';
import type { Apex, Node, ServiceNodes, View, Zone } from './zone.ts';
import {
  APEX_TTL_SECONDS,
  NEGATIVE_TTL_SECONDS,
  SOA_EXPIRE_SECONDS,
  SOA_REFRESH_SECONDS,
  SOA_RETRY_SECONDS,
  VERSION_TTL_SECONDS,
} from './zone-ttl.ts';

/** The edition of the DNS specification that is followed (DNS-01). */
const DNS_VERSION = '1.0.0';

/** What services compile to, by zone and view, for as long as they are the same objects: of thousands a few change at a time. */
export type CompiledServices = WeakMap<ZoneService, Map<string, CompiledService>>;

interface CompiledService {
  readonly nodes: ServiceNodes | undefined;
  /** What was reported of it. */
  readonly problems: readonly string[];
}

/**
 * Total: what cannot become a name (no label, too long, no address, no port) is left out and reported in `skipped`; names are
 * unique in a snapshot, so a second service of one name is left out too.
 */
export function compileZone(snapshot: ZoneSnapshot, compiled: CompiledServices = new WeakMap()): Zone {
  const skipped = makeReport();
  const services = usableServices(snapshot.services, skipped.report);
  const zones = [...new Set(snapshot.zones.map(canonicalName))].sort((a, b) => b.length - a.length);
  const apexes = zones.map((zone) =>
    compileApex({ zone, version: snapshot.version, services, report: skipped.report, compiled }),
  );
  return { version: snapshot.version, apexes, skipped: skipped.result() };
}

/** One line for each entry, however many zones and views it was met in. */
function makeReport(): { report: Report; result: () => Zone['skipped'] } {
  const lines = new Set<string>();
  return {
    report: ({ namespace, name }, why) => lines.add(`${namespace}/${name}: ${why}`),
    result: () => ({ count: lines.size, examples: [...lines].slice(0, SKIPPED_REPORTED_MAX) }),
  };
}

function usableServices(services: readonly ZoneService[], report: Report): readonly ZoneService[] {
  const usable = new Map<string, ZoneService>();
  for (const service of services) {
    const key = `${service.name}.${service.namespace}`;
    if (!isLabel(service.name) || !isLabel(service.namespace)) report(service, 'namespace or name is not a DNS label');
    else if (usable.has(key)) report(service, 'is there twice');
    else usable.set(key, service);
  }
  return [...usable.values()];
}

interface ApexInput {
  readonly zone: string;
  readonly version: number;
  readonly services: readonly ZoneService[];
  readonly report: Report;
  readonly compiled: CompiledServices;
}

function compileApex({ zone, version, services, report, compiled }: ApexInput): Apex {
  const soa = toSoa(zone, version);
  const ns: DnsRecord = { type: 'NS', name: zone, ttlSeconds: APEX_TTL_SECONDS, server: soa.primary };
  const text: DnsRecord = {
    type: 'TXT',
    name: `dns-version.${zone}`,
    ttlSeconds: VERSION_TTL_SECONDS,
    text: DNS_VERSION,
  };
  const view = { zone, services, report, compiled };
  const everything = compileView({ ...view, name: 'all', visible: () => true });
  return {
    name: zone,
    soa,
    here: toNode([soa], [ns]),
    version: toNode([text]),
    loopbackClients: everything,
    otherClients: services.some(hasLoopbackAddress)
      ? compileView({ ...view, name: 'other', visible: ({ isLoopback }) => !isLoopback })
      : everything,
  };
}

/** The names are those that CoreDNS gives, so that monitors written for it keep working. */
function toSoa(zone: string, version: number): SoaRecord {
  return {
    type: 'SOA',
    name: zone,
    ttlSeconds: NEGATIVE_TTL_SECONDS,
    primary: `ns.dns.${zone}`,
    mailbox: `hostmaster.${zone}`,
    serial: version >>> 0,
    refreshSeconds: SOA_REFRESH_SECONDS,
    retrySeconds: SOA_RETRY_SECONDS,
    expireSeconds: SOA_EXPIRE_SECONDS,
    minimumSeconds: NEGATIVE_TTL_SECONDS,
  };
}

function toNode(...recordSets: (readonly DnsRecord[])[]): Node {
  const records = new Map<number, readonly DnsRecord[]>();
  for (const set of recordSets) if (set[0] !== undefined) records.set(TYPE[set[0].type], set);
  return { records, targets: [] };
}

interface ViewInput {
  readonly zone: string;
  /** Of the view: `all` addresses, or those that `other` machines may learn. */
  readonly name: 'all' | 'other';
  readonly services: readonly ZoneService[];
  readonly report: Report;
  readonly visible: Visible;
  readonly compiled: CompiledServices;
}

function compileView({ services, report, ...input }: ViewInput): View {
  const namespaces = new Set<string>();
  const nodesByName = new Map<string, ServiceNodes>();
  for (const service of services) {
    // Also of a service without names: somebody has imported something here, and NXDOMAIN would deny what comes next.
    namespaces.add(service.namespace);
    const { nodes, problems } = compileOnce(service, input);
    for (const problem of problems) report(service, problem);
    if (nodes !== undefined) nodesByName.set(`${service.name}.${service.namespace}`, nodes);
  }
  return { namespaces, services: nodesByName };
}

function compileOnce(
  service: ZoneService,
  { zone, name, visible, compiled }: Omit<ViewInput, 'services' | 'report'>,
): CompiledService {
  const known = compiled.get(service) ?? new Map<string, CompiledService>();
  const key = `${name} ${zone}`;
  const present = known.get(key);
  if (present !== undefined) return present;
  const problems: string[] = [];
  const nodes = compileService({ service, zone, visible, report: (_, why) => problems.push(why) });
  const made = { nodes, problems };
  compiled.set(service, known.set(key, made));
  return made;
}
