/**
 * The ports whose endpoints expect a PROXY header. Pure.
 *
 * An annotation that names a port which is not there makes the whole export invalid: without the header, what the endpoint takes for
 * one is the client's own bytes, in which it may say of itself what it likes.
 */
import { ANNOTATIONS } from '../api/names.ts';
import type { ObjectMeta } from '../api/object.ts';
import { parseProxyProtocol } from '../api/proxy-protocol.ts';
import { quote } from '../api/validation/quote.ts';
import { listPorts } from './default-port.ts';
import type { CataloguePort } from './types.ts';

export type ProxiedPorts =
  | { readonly ok: true; readonly ports: readonly CataloguePort[] }
  /** For people: what is wrong, and what to do. */
  | { readonly ok: false; readonly message: string };

/** The same ports, those marked that are meant. */
export function toProxiedPorts(metadata: ObjectMeta | undefined, ports: readonly CataloguePort[]): ProxiedPorts {
  const text = metadata?.annotations?.[ANNOTATIONS.proxyProtocol];
  if (text === undefined) return { ok: true, ports };
  const where = `metadata.annotations.${ANNOTATIONS.proxyProtocol}`;
  const parsed = parseProxyProtocol(text);
  if (!parsed.ok) return { ok: false, message: `${where}: ${parsed.message}. Fix: ${parsed.fix}` };
  const unknown = parsed.ports?.find((named) => !ports.some((port) => isNamed(port, named)));
  if (unknown !== undefined) {
    const message = `${where}: the Service has no TCP port ${quote(unknown)}, it has ${listPorts(ports)}`;
    return { ok: false, message: `${message}. Fix: name some of these, or write "v2" for all of them.` };
  }
  const isMeant = (port: CataloguePort): boolean => parsed.ports?.some((named) => isNamed(port, named)) ?? true;
  return {
    ok: true,
    ports: ports.map((port) =>
      port.protocol === 'TCP' && isMeant(port) ? { ...port, proxyProtocol: 'v2' as const } : port,
    ),
  };
}

/** A port's name has a letter in it (RFC 6335 §5.1), so that no text is both. */
function isNamed({ name, protocol, port }: CataloguePort, named: string): boolean {
  return protocol === 'TCP' && (name === named || String(port) === named);
}
