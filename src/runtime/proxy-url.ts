/** An HTTP proxy as configurations write it, and which hosts are reached without it. Pure. */
import { isIP } from 'node:net';
import { isSubdomain } from '../api/names.ts';
import { parseHostPort, type HostPort } from './host-port.ts';

/** Where sessions are dialled through: `CONNECT` (RFC 9110 §9.3.6), in the clear up to the proxy, TLS to the peer inside. */
export interface ProxyAddress extends HostPort {
  /**
   * The value of `Proxy-Authorization`; undefined without credentials. A function, since a value would sooner or later be
   * printed with the configuration that holds it.
   */
  authorization(): string | undefined;
}

export type ParsedProxy =
  | { readonly ok: true; readonly proxy: ProxyAddress }
  /** Ends the sentence "proxy ..."; says nothing of what was given, which may hold a password. */
  | { readonly ok: false; readonly problem: string };

const PROXY_URL = /^([a-z][a-z0-9+.-]*):\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?$/i;
const UNPRINTABLE = /\p{Cc}/u;

/** Reads `http://[user[:password]@]host:port`; user and password may be percent-encoded. */
export function parseProxyUrl(text: string): ParsedProxy {
  const [, scheme = '', userinfo, authority = ''] = PROXY_URL.exec(text) ?? [];
  if (scheme === '') return refuse('is not http://host:port, nor http://user:password@host:port');
  if (scheme.toLowerCase() !== 'http') {
    return refuse('has another scheme than http: proxies are spoken to in the clear, what goes through them is TLS');
  }
  const address = parseHostPort(authority);
  if (address === undefined) return refuse('has no host:port with a port from 1 to 65535');
  if (userinfo === undefined) return { ok: true, proxy: { ...address, authorization: () => undefined } };
  const credentials = readUserinfo(userinfo);
  if (credentials === undefined)
    return refuse('has a user or a password that cannot be read; encode it with percent signs');
  const value = `Basic ${Buffer.from(credentials).toString('base64')}`;
  return { ok: true, proxy: { ...address, authorization: () => value } };
}

/** `user:password` in the clear; a user has no colon and neither has control characters (RFC 7617 §2). */
function readUserinfo(userinfo: string): string | undefined {
  const colon = userinfo.indexOf(':');
  const [user, password] = colon === -1 ? [userinfo, ''] : [userinfo.slice(0, colon), userinfo.slice(colon + 1)];
  try {
    const decoded = { user: decodeURIComponent(user), password: decodeURIComponent(password) };
    const isFit = decoded.user !== '' && !decoded.user.includes(':');
    const text = `${decoded.user}:${decoded.password}`;
    return isFit && !UNPRINTABLE.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

function refuse(problem: string): ParsedProxy {
  return { ok: false, problem };
}

/** `corp.example` (and what is below it), `.corp.example` (only what is below), an address, or a network in CIDR form. */
export function isProxyException(text: string): boolean {
  const [address = '', digits, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0)
    return text.length <= 253 && isSubdomain(text.replace(/^\./, '').toLowerCase()) && !/^[\d.]+$/.test(text);
  if (digits === undefined) return true;
  return more.length === 0 && /^\d{1,3}$/.test(digits) && Number(digits) <= (family === 4 ? 32 : 128);
}
