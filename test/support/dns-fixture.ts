/** The clusterset that the DNS tests ask about: `shop` in `east` and `west`, and what must be answered. */
import { TYPE } from '#src/dns/records.ts';
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

/** `db-1` of east (10.1.0.6) is not ready, so that no snapshot has it. */
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

export interface FixtureRow {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'SRV' | 'TXT' | 'PTR';
  readonly rcode: 'NOERROR' | 'NXDOMAIN' | 'REFUSED';
  /** Sorted: an address, `port target`, or a text. An empty list of a name of ours comes with the SOA. */
  readonly answers: readonly string[];
  readonly basis: string;
}

const below = (name: string): string => `${name}.shop.svc.${ZONE}`;
const PG = ['10-2-0-9.west', 'db-0.east', 'db-0.west'].map((host) => `5432 ${below(`${host}.db`)}`);

type Row = readonly [
  name: string,
  type: FixtureRow['type'],
  rcode: FixtureRow['rcode'],
  answers: string[],
  basis: string,
];

const ROWS: readonly Row[] = [
  [below('web'), 'A', 'NOERROR', ['10.45.0.7'], 'DNS-02'],
  [below('web'), 'AAAA', 'NOERROR', ['fd00:45::7'], 'DNS-02'],
  [below('solo'), 'AAAA', 'NOERROR', [], 'DNS-29'],
  [below('_http._tcp.web'), 'SRV', 'NOERROR', [`80 ${below('web')}`], 'DNS-03'],
  [below('_metrics._tcp.web'), 'SRV', 'NOERROR', [`9090 ${below('web')}`], 'DNS-03'],
  [below('_http._udp.web'), 'SRV', 'NXDOMAIN', [], 'DNS-03'],
  [below('_http._tcp.web'), 'A', 'NOERROR', [], 'DNS-29'],
  [below('web'), 'SRV', 'NOERROR', [`80 ${below('web')}`, `9090 ${below('web')}`], 'DNS-16'],
  [below('solo'), 'SRV', 'NOERROR', [`8080 ${below('solo')}`], 'DNS-17'],
  [below('east.web'), 'A', 'NXDOMAIN', [], 'DNS-13'],
  [below('west.web'), 'A', 'NXDOMAIN', [], 'DNS-13'],
  [below('10-1-0-5.east.web'), 'A', 'NXDOMAIN', [], 'DNS-24'],
  [below('db'), 'A', 'NOERROR', ['10.1.0.5', '10.2.0.5', '10.2.0.9'], 'DNS-04'],
  [below('db'), 'AAAA', 'NOERROR', [], 'DNS-29'],
  [below('db-0.east.db'), 'A', 'NOERROR', ['10.1.0.5'], 'DNS-07'],
  [below('db-0.west.db'), 'A', 'NOERROR', ['10.2.0.5'], 'DNS-07'],
  [below('10-2-0-9.west.db'), 'A', 'NOERROR', ['10.2.0.9'], 'DNS-21'],
  [below('db-1.east.db'), 'A', 'NXDOMAIN', [], 'DNS-04'],
  [below('db-0.db'), 'A', 'NXDOMAIN', [], 'DNS-13'],
  [below('east.db'), 'A', 'NXDOMAIN', [], 'DNS-13'],
  [below('_pg._tcp.db'), 'SRV', 'NOERROR', PG, 'DNS-08'],
  [below('db'), 'SRV', 'NOERROR', PG, 'DNS-16'],
  [below('idle'), 'A', 'NXDOMAIN', [], 'DNS-14'],
  [below('idle'), 'SRV', 'NXDOMAIN', [], 'DNS-14'],
  [below('nosuch'), 'A', 'NXDOMAIN', [], 'DNS-29'],
  [`web.nons.svc.${ZONE}`, 'A', 'NXDOMAIN', [], 'DNS-29'],
  [`shop.svc.${ZONE}`, 'A', 'NOERROR', [], 'DNS-29'],
  [`svc.${ZONE}`, 'A', 'NOERROR', [], 'DNS-29'],
  [ZONE, 'A', 'NOERROR', [], 'DNS-29'],
  [`dns-version.${ZONE}`, 'TXT', 'NOERROR', ['1.0.0'], 'DNS-01'],
  [below('web'), 'TXT', 'NOERROR', [], 'DNS-32'],
  ['7.0.45.10.in-addr.arpa', 'PTR', 'REFUSED', [], 'DNS-12'],
  [`WEB.Shop.SVC.${ZONE}`, 'A', 'NOERROR', ['10.45.0.7'], 'DNS-18'],
  [below('a.b.c.web'), 'A', 'NXDOMAIN', [], 'DNS-29'],
];

export const FIXTURE_ROWS: readonly FixtureRow[] = ROWS.map(([name, type, rcode, answers, basis]) => ({
  name,
  type,
  rcode,
  answers,
  basis,
}));

export function titleOf({ basis, name, type, rcode, answers }: FixtureRow): string {
  return `${basis} ${name} ${type} → ${rcode} ${answers.join(', ') || '(no answer)'}`;
}

/** Of PTR the responder knows the number only. */
export const TYPE_CODES: Record<FixtureRow['type'], number> = {
  A: TYPE.A,
  AAAA: TYPE.AAAA,
  SRV: TYPE.SRV,
  TXT: TYPE.TXT,
  PTR: 12,
};
