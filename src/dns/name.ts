/** Names of the clusterset zone: what a query name means, and what a thing is called. Pure. */

export interface ServiceName {
  readonly namespace: string;
  readonly service: string;
}

export type ClusterSetName =
  | { readonly kind: 'apex' }
  /** `dns-version`: which edition of the specification is served (DNS-01). */
  | { readonly kind: 'version' }
  /** `ns.dns`, named by SOA and NS, and `dns` above it. */
  | { readonly kind: 'nameServer' }
  /** `svc`. */
  | { readonly kind: 'services' }
  | { readonly kind: 'namespace'; readonly namespace: string }
  | ({ readonly kind: 'service' } & ServiceName)
  /** `_tcp.<service>`: nothing of its own, above the ports. */
  | ({ readonly kind: 'protocol'; readonly protocol: string } & ServiceName)
  | ({ readonly kind: 'port'; readonly port: string; readonly protocol: string } & ServiceName)
  | ({ readonly kind: 'endpoint'; readonly hostname: string; readonly peer: string } & ServiceName);

/** A whole name in text form, without the trailing dot; 255 octets on the wire (RFC 1035 §2.3.4, DNS-26). */
export const NAME_LENGTH_MAX = 253;

/** Lower case and no trailing dot: the form that all names are compared in (RFC 4343). */
export function canonicalName(name: string): string {
  return (name.endsWith('.') ? name.slice(0, -1) : name).toLowerCase();
}

/** True for the zone itself and everything below it. Both names canonical. */
export function isWithin(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}

/**
 * Says what a query name under the clusterset zone stands for, whatever the type that is asked for.
 *
 * Shapes below `svc`, read from the right: `<namespace>`, `<service>.<namespace>`, then either underscores
 * (`_<port>._<protocol>`, or `_<protocol>` alone) or the two labels `<hostname>.<peer>` of one headless endpoint. One plain label before a service
 * is reserved: no name may select all endpoints of one cluster (DNS-13), so it is undefined like every other name, which the
 * caller answers with NXDOMAIN. Whether the thing exists is not known here.
 *
 * @param name - canonical, within the zone; octets other than letters, digits, `-` and `_` are written `\DDD`, so that a dot
 *   always ends a label. At most 255 octets on the wire: the codec has refused longer ones.
 * @param zone - canonical.
 * @see mcs-api KEP-1645 and its DNS specification (DNS-02, 03, 07, 08, 13)
 */
export function parseClusterSetName(name: string, zone: string): ClusterSetName | undefined {
  if (name === zone) return { kind: 'apex' };
  const relative = name.slice(0, -(zone.length + 1));
  if (relative === 'dns-version') return { kind: 'version' };
  if (relative === 'dns' || relative === 'ns.dns') return { kind: 'nameServer' };
  const [root, namespace, service, ...below] = relative.split('.').reverse();
  if (root !== 'svc') return undefined;
  if (namespace === undefined) return { kind: 'services' };
  if (service === undefined) return { kind: 'namespace', namespace };
  return parseBelowService(below, { namespace, service });
}

/** @param below - the labels left of the service, from right to left. */
function parseBelowService(below: readonly string[], service: ServiceName): ClusterSetName | undefined {
  const [near, far] = below;
  if (near === undefined) return { kind: 'service', ...service };
  if (below.length > 2) return undefined;
  const protocol = parseUnderscored(near);
  if (far === undefined) return protocol === undefined ? undefined : { kind: 'protocol', protocol, ...service };
  const port = parseUnderscored(far);
  if (protocol !== undefined && port !== undefined) return { kind: 'port', port, protocol, ...service };
  if (protocol !== undefined || port !== undefined) return undefined;
  return { kind: 'endpoint', hostname: far, peer: near, ...service };
}

function parseUnderscored(label: string): string | undefined {
  return label.startsWith('_') ? label.slice(1) : undefined;
}

/** The inverse of {@link parseClusterSetName} for what a service consists of. */
export function formatClusterSetName(name: Extract<ClusterSetName, ServiceName>, zone: string): string {
  const service = `${name.service}.${name.namespace}.svc.${zone}`;
  const below = formatBelow(name);
  return below === '' ? service : `${below}.${service}`;
}

/** The labels left of the service: the key of a name within its service. */
export function formatBelow(name: Extract<ClusterSetName, ServiceName>): string {
  switch (name.kind) {
    case 'service':
      return '';
    case 'protocol':
      return `_${name.protocol}`;
    case 'port':
      return `_${name.port}._${name.protocol}`;
    case 'endpoint':
      return `${name.hostname}.${name.peer}`;
  }
}
