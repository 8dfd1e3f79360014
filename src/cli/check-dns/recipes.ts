/** How resolvers of a machine without a cluster come to the zones: docs/DNS.md has the same texts, which a test compares. Pure. */
import { formatHostPort, type HostPort } from '../../runtime/host-port.ts';
import type { Change } from './findings.ts';

export const RESOLVER_PROGRAMS = ['systemd-resolved', 'dnsmasq', 'unbound', 'macos', 'none'] as const;
export type ResolverProgram = (typeof RESOLVER_PROGRAMS)[number];

export interface Machine {
  readonly platform: string;
  /** Of resolv.conf, in order. */
  readonly nameservers: readonly string[];
  /** Configuration folders that are there, of `CONFIGURATION_FOLDERS`. */
  readonly folders: readonly string[];
}

export const CONFIGURATION_FOLDERS = ['/run/systemd/resolve', '/etc/dnsmasq.d', '/etc/unbound'];

/** Who answers programs here. A resolver that is somewhere else cannot be told of this machine: one is to be put before it. */
export function resolverOf({ platform, nameservers, folders }: Machine): ResolverProgram {
  if (platform === 'darwin') return 'macos';
  const isHere = nameservers.some((address) => address.startsWith('127.') || address === '::1');
  if (nameservers.includes('127.0.0.53') || (!isHere && folders.includes('/run/systemd/resolve'))) {
    return 'systemd-resolved';
  }
  if (!isHere) return 'none';
  if (folders.includes('/etc/unbound')) return 'unbound';
  return folders.includes('/etc/dnsmasq.d') ? 'dnsmasq' : 'none';
}

export interface Zones {
  readonly listen: HostPort;
  readonly zones: readonly string[];
}

/** `none`: dnsmasq, put before the resolver that is there. */
export function recipeFor(program: ResolverProgram, { listen, zones }: Zones): Change {
  const { host, port } = listen;
  switch (program) {
    case 'systemd-resolved':
      return {
        use: '/etc/systemd/resolved.conf.d/clusterset.conf, and: systemctl restart systemd-resolved',
        text: `[Resolve]
DNS=${formatHostPort(listen)}
Domains=${zones.map((zone) => `~${zone}`).join(' ')}
`,
      };
    case 'dnsmasq':
    case 'none':
      return {
        use:
          program === 'dnsmasq'
            ? '/etc/dnsmasq.d/clusterset.conf, and: systemctl restart dnsmasq'
            : 'no resolver runs on this machine: install dnsmasq; then /etc/dnsmasq.d/clusterset.conf, and "nameserver 127.0.0.1" first in resolv.conf (docs/DNS.md)',
        text: zones.map((zone) => `server=/${zone}/${host}#${port}\nrebind-domain-ok=/${zone}/\n`).join(''),
      };
    case 'unbound':
      return {
        use: '/etc/unbound/unbound.conf.d/clusterset.conf, and: systemctl restart unbound',
        text: `server:
    do-not-query-localhost: no
${zones.map((zone) => `    domain-insecure: "${zone}"\n    private-domain: "${zone}"\n`).join('')}${zones
          .map((zone) => `\nstub-zone:\n    name: "${zone}"\n    stub-addr: ${host}@${port}\n`)
          .join('')}`,
      };
    case 'macos':
      return {
        use: `/etc/resolver/${zones[0]}`,
        text: `nameserver ${host}\nport ${port}\n`,
      };
  }
}
