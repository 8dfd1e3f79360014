/**
 * The clusterset that the DNS tests ask about, and what must be answered: `shop` in `east` and `west`. One table for all of them:
 * the zone alone, the responder over sockets, and CoreDNS in front of it or instead of it.
 */
import type { ZoneEndpoint, ZonePort, ZoneService, ZoneSnapshot } from '#src/dns/snapshot.ts';

export const ZONE = 'clusterset.local';

export function tcpPort(name: string, port: number): ZonePort {
  return { name, protocol: 'TCP', port };
}

export function clusterSetIp(name: string, part: Partial<ZoneService> = {}): ZoneService {
  return { namespace: 'shop', name, type: 'ClusterSetIP', ips: [], ports: [], endpoints: [], ...part };
}

export function headless(name: string, part: Partial<ZoneService> = {}): ZoneService {
  return { namespace: 'shop', name, type: 'Headless', ips: [], ports: [], endpoints: [], ...part };
}

export function endpoint(peer: string, hostname: string, ...addresses: string[]): ZoneEndpoint {
  return { peer, hostname, addresses };
}

export function snapshotOf(...services: ZoneService[]): ZoneSnapshot {
  return { version: 7, zones: [ZONE], services };
}

export const FIXTURE = snapshotOf(
  clusterSetIp('web', { ips: ['10.45.0.7', 'fd00:45::7'], ports: [tcpPort('http', 80), tcpPort('metrics', 9090)] }),
  clusterSetIp('solo', { ips: ['10.45.0.9'], ports: [tcpPort('', 8080)] }),
  headless('db', {
    ports: [tcpPort('pg', 5432)],
    endpoints: [
      endpoint('east', 'db-0', '10.1.0.5'),
      endpoint('west', 'db-0', '10.2.0.5'),
      endpoint('west', '', '10.2.0.9'),
    ],
  }),
  headless('idle', { ports: [tcpPort('pg', 5432)] }),
);

/** Endpoints that are not ready, by service: no snapshot has them, EndpointSlices do (DNS-20). */
export const NOT_READY: Readonly<Record<string, readonly ZoneEndpoint[]>> = {
  db: [endpoint('east', 'db-1', '10.1.0.6')],
  idle: [endpoint('east', 'idle-0', '10.1.0.8')],
};

export interface Outcome {
  readonly rcode: 'NOERROR' | 'NXDOMAIN' | 'REFUSED';
  /** Sorted: an address, `port target`, or a text. An empty list of a name of ours comes with the SOA. */
  readonly answers: readonly string[];
}

export interface FixtureRow extends Outcome {
  /** `F01`: what tables of exceptions name a row by. */
  readonly id: string;
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'SRV' | 'TXT' | 'PTR';
  /** The clause that asks for it (KEP-1645, by the numbers of this project's reference). */
  readonly basis: string;
}

/** A name of a service of the fixture, or below it: `_http._tcp.web`. */
export const below = (name: string): string => `${name}.shop.svc.${ZONE}`;
const PG = ['10-2-0-9.west', 'db-0.east', 'db-0.west'].map((host) => `5432 ${below(`${host}.db`)}`);

type Row = readonly [
  id: string,
  name: string,
  type: FixtureRow['type'],
  rcode: FixtureRow['rcode'],
  answers: string[],
  basis: string,
];

const ROWS: readonly Row[] = [
  ['F01', below('web'), 'A', 'NOERROR', ['10.45.0.7'], 'DNS-02'],
  ['F02', below('web'), 'AAAA', 'NOERROR', ['fd00:45::7'], 'DNS-02'],
  ['F03', below('solo'), 'AAAA', 'NOERROR', [], 'DNS-29'],
  ['F04', below('_http._tcp.web'), 'SRV', 'NOERROR', [`80 ${below('web')}`], 'DNS-03'],
  ['F05', below('_metrics._tcp.web'), 'SRV', 'NOERROR', [`9090 ${below('web')}`], 'DNS-03'],
  ['F06', below('_http._udp.web'), 'SRV', 'NXDOMAIN', [], 'DNS-03'],
  ['F07', below('_http._tcp.web'), 'A', 'NOERROR', [], 'DNS-29'],
  ['F08', below('web'), 'SRV', 'NOERROR', [`80 ${below('web')}`, `9090 ${below('web')}`], 'DNS-16'],
  ['F09', below('solo'), 'SRV', 'NOERROR', [`8080 ${below('solo')}`], 'DNS-17'],
  ['F10', below('east.web'), 'A', 'NXDOMAIN', [], 'DNS-13'],
  ['F11', below('west.web'), 'A', 'NXDOMAIN', [], 'DNS-13'],
  ['F12', below('10-1-0-5.east.web'), 'A', 'NXDOMAIN', [], 'DNS-24'],
  // By the address that the import's own EndpointSlices have.
  ['F13', below('10-45-0-7.east.web'), 'A', 'NXDOMAIN', [], 'DNS-24'],
  ['F14', below('db'), 'A', 'NOERROR', ['10.1.0.5', '10.2.0.5', '10.2.0.9'], 'DNS-04'],
  ['F15', below('db'), 'AAAA', 'NOERROR', [], 'DNS-29'],
  ['F16', below('db-0.east.db'), 'A', 'NOERROR', ['10.1.0.5'], 'DNS-07'],
  ['F17', below('db-0.west.db'), 'A', 'NOERROR', ['10.2.0.5'], 'DNS-07'],
  ['F18', below('10-2-0-9.west.db'), 'A', 'NOERROR', ['10.2.0.9'], 'DNS-21'],
  ['F19', below('db-1.east.db'), 'A', 'NXDOMAIN', [], 'DNS-04'],
  ['F20', below('db-0.db'), 'A', 'NXDOMAIN', [], 'DNS-13'],
  ['F21', below('east.db'), 'A', 'NXDOMAIN', [], 'DNS-13'],
  ['F22', below('_pg._tcp.db'), 'SRV', 'NOERROR', PG, 'DNS-08'],
  ['F23', below('db'), 'SRV', 'NOERROR', PG, 'DNS-16'],
  ['F24', below('idle'), 'A', 'NXDOMAIN', [], 'DNS-14'],
  ['F25', below('idle'), 'SRV', 'NXDOMAIN', [], 'DNS-14'],
  ['F26', below('nosuch'), 'A', 'NXDOMAIN', [], 'DNS-29'],
  ['F27', `web.nons.svc.${ZONE}`, 'A', 'NXDOMAIN', [], 'DNS-29'],
  ['F28', `shop.svc.${ZONE}`, 'A', 'NOERROR', [], 'DNS-29'],
  ['F29', `svc.${ZONE}`, 'A', 'NOERROR', [], 'DNS-29'],
  ['F30', ZONE, 'A', 'NOERROR', [], 'DNS-29'],
  ['F31', `dns-version.${ZONE}`, 'TXT', 'NOERROR', ['1.0.0'], 'DNS-01'],
  ['F32', below('web'), 'TXT', 'NOERROR', [], 'DNS-32'],
  ['F33', '7.0.45.10.in-addr.arpa', 'PTR', 'REFUSED', [], 'DNS-12'],
  ['F34', `WEB.Shop.SVC.${ZONE}`, 'A', 'NOERROR', ['10.45.0.7'], 'DNS-18'],
  ['F35', below('a.b.c.web'), 'A', 'NXDOMAIN', [], 'DNS-29'],
];

export const FIXTURE_ROWS: readonly FixtureRow[] = ROWS.map(([id, name, type, rcode, answers, basis]) => ({
  id,
  name,
  type,
  rcode,
  answers,
  basis,
}));

/** @param outcome - Default: what the row wants. */
export function titleOf({ id, basis, name, type, ...wanted }: FixtureRow, outcome: Outcome = wanted): string {
  return `${id} ${basis} ${name} ${type} → ${toOutcomeText(outcome)}`;
}

/** `NOERROR 10.45.0.7`, `NXDOMAIN (no answer)`. */
export function toOutcomeText({ rcode, answers }: Outcome): string {
  return `${rcode} ${answers.join(', ') || '(no answer)'}`;
}

/** RFC 1035, RFC 3596, RFC 2782. */
export const TYPE_CODES: Record<FixtureRow['type'], number> = { A: 1, AAAA: 28, SRV: 33, TXT: 16, PTR: 12 };
