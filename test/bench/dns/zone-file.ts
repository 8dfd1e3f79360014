/** The imports as a zone, and how NSD is set to serve it. Pure. */
import { hostOf, serviceOf, ZONE, type Import } from './names.ts';

const TTL_SECONDS = 4;

/** Master file format (RFC 1035 §5), SRV by RFC 2782. */
export function toZoneFile(imports: readonly Import[]): string {
  const nameServer = `ns.dns.${ZONE}.`;
  return [
    `$TTL ${TTL_SECONDS}`,
    `${ZONE}. IN SOA ${nameServer} hostmaster.${ZONE}. 1 7200 1800 86400 ${TTL_SECONDS}`,
    `${ZONE}. IN NS ${nameServer}`,
    `${nameServer} IN A 127.0.0.1`,
    ...imports.flatMap((each) => [
      `${hostOf(each)}. IN A ${each.address}`,
      `${serviceOf(each)}. IN SRV 0 100 ${each.port} ${hostOf(each)}.`,
    ]),
    '',
  ].join('\n');
}

export interface NsdConfig {
  readonly host: string;
  readonly port: number;
  /** Everything that it writes goes there. */
  readonly folder: string;
  readonly zoneFile: string;
}

/** One server process; nothing is limited, logged, or written to where others look. */
export function toNsdConfig({ host, port, folder, zoneFile }: NsdConfig): string {
  return `server:
  ip-address: ${host}@${port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  database: ""
  pidfile: ""
  zonelistfile: "${folder}/zone.list"
  xfrdfile: "${folder}/xfrd.state"
  xfrdir: "${folder}"
  verbosity: 0
  hide-version: yes
  minimal-responses: yes
  rrl-ratelimit: 0
  receive-buffer-size: 4194304
  send-buffer-size: 4194304
remote-control:
  control-enable: no
zone:
  name: ${ZONE}
  zonefile: "${zoneFile}"
`;
}
