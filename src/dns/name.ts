/** Names of the clusterset zone: what a thing is called, and the form in which names are looked up. Pure. */

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

/** All services of a namespace are below it; it has no record of its own. */
export function formatNamespace(namespace: string, zone: string): string {
  return `${namespace}.svc.${zone}`;
}

/** DNS-02. */
export function formatService({ namespace, name }: { namespace: string; name: string }, zone: string): string {
  return `${name}.${formatNamespace(namespace, zone)}`;
}

/** What is above the ports of a protocol; no record of its own. */
export function formatProtocol(protocol: string, service: string): string {
  return `_${protocol}.${service}`;
}

/** DNS-03, DNS-08. */
export function formatPort(port: string, protocol: string, service: string): string {
  return `_${port}.${formatProtocol(protocol, service)}`;
}

/** DNS-07. The label of the peer alone, above it, is no name: none may select all endpoints of one cluster (DNS-13). */
export function formatEndpoint(hostname: string, peer: string, service: string): string {
  return `${hostname}.${peer}.${service}`;
}

/** The octets of a name on the wire, letters in lower case (RFC 4343 §3), as a text of one character each: what tables are keyed by. */
export type NameKey = string;

/** @param name - canonical, of labels of at most 63 characters that need no escapes. */
export function keyOfName(name: string): NameKey {
  if (name === '') return '\0';
  return `${name
    .split('.')
    .map((label) => String.fromCharCode(label.length) + label)
    .join('')}\0`;
}

/** @param octets - a whole name as it came, without pointers. */
export function keyOfOctets(octets: Buffer): NameKey {
  return octets.toString('latin1').replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The name itself, then each one above it, the root last. */
export function* keysAbove(key: NameKey): Generator<NameKey, void> {
  for (let start = 0; start < key.length; start += 1 + key.charCodeAt(start)) {
    yield key.slice(start);
    if (key.charCodeAt(start) === 0) return;
  }
}

const ODD = /[^0-9a-z_-]/g;

/** Without the trailing dot; octets other than letters, digits, `-` and `_` as `\DDD` (RFC 4343 §2.1). */
export function formatName(key: NameKey): string {
  const labels: string[] = [];
  for (let start = 0; key.charCodeAt(start) > 0; start += 1 + key.charCodeAt(start)) {
    const label = key.slice(start + 1, start + 1 + key.charCodeAt(start));
    labels.push(label.replace(ODD, (octet) => `\\${String(octet.charCodeAt(0)).padStart(3, '0')}`));
  }
  return labels.join('.');
}
