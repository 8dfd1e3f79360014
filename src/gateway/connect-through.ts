/** A connection to a gateway through an HTTP proxy, which resolves the name of it, too. */
import type { Socket } from 'node:net';
import type { AppError } from '../api/errors.ts';
import { formatHostPort, type HostPort } from '../runtime/host-port.ts';
import type { ProxyAddress } from '../runtime/proxy-url.ts';
import { makeProxyAnswerParser } from './proxy-answer.ts';
import { readHead } from './read-head.ts';

export interface ConnectThroughOptions {
  /** Connected to the proxy, nothing read or written yet. Destroyed when nothing comes of it. */
  readonly socket: Socket;
  readonly proxy: ProxyAddress;
  /** As it stands in the Peer object. */
  readonly gateway: HostPort;
  readonly timeoutMs: number;
}

export type ThroughResult =
  | { readonly ok: true }
  /** Names the proxy, its answer and the remedy; never the credentials, nor anything that the proxy wrote. */
  | { readonly ok: false; readonly message: string };

/** Asks for the way on. Never rejects. What the gateway says behind the proxy's answer stays in the socket. */
export async function connectThrough(options: ConnectThroughOptions): Promise<ThroughResult> {
  const { socket, proxy, gateway, timeoutMs } = options;
  const where = `proxy ${formatHostPort(proxy)}`;
  socket.write(encodeConnect(gateway, proxy.authorization()));
  try {
    const { status } = await readHead(socket, makeProxyAnswerParser(), timeoutMs);
    // Any 2xx is the way on, without a body whatever its fields say (RFC 9110 §9.3.6).
    if (status >= 200 && status <= 299) return { ok: true };
    socket.destroy();
    return { ok: false, message: `${where} answered ${status}. Fix: ${remedyOf(status, formatHostPort(gateway))}` };
  } catch (error) {
    socket.destroy();
    return {
      ok: false,
      message: `${where} ${describe(error as AppError)}. Fix: see that proxy names an HTTP proxy that runs`,
    };
  }
}

/** Both lines name the gateway (RFC 9112 §3.2.3). The authorization is Basic or nothing, without line ends by its making. */
function encodeConnect(gateway: HostPort, authorization: string | undefined): string {
  const target = formatHostPort(gateway);
  const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`];
  if (authorization !== undefined) lines.push(`Proxy-Authorization: ${authorization}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function describe({ code, message }: AppError): string {
  if (code === 'ERR_MALFORMED') return message;
  return code === 'ERR_TIMEOUT' ? 'takes connections and does not answer' : 'hung up before it answered';
}

/** What proxies mean by their answers to CONNECT; their own words are pages for browsers. */
function remedyOf(status: number, gateway: string): string {
  if (status === 407) return 'give proxy a user and a password that it takes, http://USER:PASSWORD@HOST:PORT';
  if (status === 403 || status === 405) return `have CONNECT to ${gateway} permitted there`;
  if (status === 502 || status === 503 || status === 504)
    return `see from there that ${gateway} can be resolved and reached`;
  return `ask its owner why it does not connect to ${gateway}`;
}
