/** Which ports of an export begin their connections with a PROXY header: the text of its annotation. Pure. */
import { isLabel } from './names.ts';
import { isPort } from './validation/addresses.ts';
import { LISTED_PROXY_PORTS_MAX } from './validation/limits.ts';
import { quote } from './validation/quote.ts';

export type ProxyProtocol = 'v2';

export type ParsedProxyProtocol =
  /** Names or numbers of TCP ports; undefined: all of them. */
  | { readonly ok: true; readonly ports: readonly string[] | undefined }
  | { readonly ok: false; readonly message: string; readonly fix: string };

const OFF = 'delete it where the endpoints expect none';

/** @param text - `v2`, or `v2:` and ports, `v2:http,5432`. */
export function parseProxyProtocol(text: string): ParsedProxyProtocol {
  const [version = '', list, ...more] = text.split(':');
  if (version !== 'v2' || more.length > 0) return refuseVersion(text);
  if (list === undefined) return { ok: true, ports: undefined };
  const ports = list.split(',', LISTED_PROXY_PORTS_MAX + 1).map((port) => port.trim());
  if (ports.length > LISTED_PROXY_PORTS_MAX) {
    const message = `names more than ${LISTED_PROXY_PORTS_MAX} ports`;
    return { ok: false, message, fix: 'Write "v2" for all ports.' };
  }
  const wrong = ports.find((port) => !isLabel(port) || (/^\d+$/.test(port) && !isPort(Number(port))));
  if (wrong === undefined) return { ok: true, ports };
  const message = `must name ports by name or number, has ${quote(wrong)}`;
  return { ok: false, message, fix: `Write it like "v2:http,5432", or "v2" for all ports; ${OFF}.` };
}

function refuseVersion(text: string): ParsedProxyProtocol {
  const message = `must be "v2", or "v2:" and ports, is ${quote(text)}`;
  const isFirst = /^v?1\b/i.test(text.trim());
  const why = isFirst ? 'version 1 has no room for who the peer is' : OFF;
  return { ok: false, message, fix: `Write "v2", or "v2:http,5432" for some of the ports; ${why}.` };
}
