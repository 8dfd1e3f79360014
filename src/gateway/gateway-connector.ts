/** The way to a gateway of a peer, up to where TLS begins: directly to one of its addresses, or through the proxy. */
import { BlockList, isIP, type Socket } from 'node:net';
import { REASONS, type Reason } from '../api/reasons.ts';
import { formatHostPort, type HostPort } from '../runtime/host-port.ts';
import type { ProxyAddress } from '../runtime/proxy-url.ts';
import { connectAny } from './connect-any.ts';
import { connectThrough } from './connect-through.ts';
import { makeNames, resolveByHost, type Resolve } from './names.ts';

export interface ConnectorOptions {
  readonly proxy?: ProxyAddress | undefined;
  /** As the configuration has them (`proxyExcept`). */
  readonly proxyExcept?: readonly string[] | undefined;
  /** Tests give another. */
  readonly resolve?: Resolve | undefined;
  /** Tests shorten it. */
  readonly keepAliveMs?: number | undefined;
}

export type Connected =
  | {
      readonly ok: true;
      readonly socket: Socket;
      /** Which of the addresses of its name; absent where a proxy has resolved it. */
      readonly address?: string;
    }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

export interface Connector {
  /** Never rejects; nothing is left open when it fails or the signal is aborted. */
  connect(gateway: HostPort, options: { readonly signal: AbortSignal; readonly timeoutMs: number }): Promise<Connected>;
  /** What the host resolves to now; undefined where it is an address, or the proxy resolves it. */
  lookUp(host: string): Promise<readonly string[]> | undefined;
}

export function makeConnector({ proxy, proxyExcept = [], resolve, keepAliveMs }: ConnectorOptions): Connector {
  const names = makeNames(resolve ?? resolveByHost);
  const isExcepted = makeExceptions(proxyExcept);
  const proxyFor = (host: string): ProxyAddress | undefined => (isExcepted(host) ? undefined : proxy);

  async function reach({ host, port }: HostPort, signal: AbortSignal) {
    const addresses = await orAborted(names.resolveForDial(host), signal);
    const connected = await connectAny({ addresses, port, signal, keepAliveMs });
    names.dialled(host, connected.address);
    return connected;
  }

  return {
    async connect(gateway, { signal, timeoutMs }) {
      const way = proxyFor(gateway.host);
      const limit = startLimit(signal, timeoutMs);
      try {
        const { socket, address } = await reach(way ?? gateway, limit.signal);
        if (way === undefined) return { ok: true, socket, address };
        const giveUp = (): void => void socket.destroy();
        limit.signal.addEventListener('abort', giveUp, { once: true });
        if (limit.signal.aborted) giveUp();
        const through = await connectThrough({ socket, proxy: way, gateway, timeoutMs: limit.leftMs() });
        limit.signal.removeEventListener('abort', giveUp);
        return through.ok ? { ok: true, socket } : unreachable(through.message);
      } catch (error) {
        const what = limit.isOver() ? 'no answer in time' : (error as Error).message;
        return unreachable(way === undefined ? what : `proxy ${formatHostPort(way)}: ${what}`);
      } finally {
        limit.end();
      }
    },
    lookUp: (host) => (isIP(host) !== 0 || proxyFor(host) !== undefined ? undefined : names.resolve(host)),
  };
}

function unreachable(message: string): Connected {
  return { ok: false, reason: REASONS.PeerUnreachable, message };
}

/** So that it is the proxy that is named when the time is over while it is asked. */
const LEFT_FOR_WORDS_MS = 10;

/** Aborted by the caller, or when the time is over; leaves nothing behind at a signal that outlives many dials. */
function startLimit(signal: AbortSignal, timeoutMs: number) {
  const limit = new AbortController();
  const endsMs = performance.now() + timeoutMs;
  const onAbort = (): void => limit.abort(new Error('given up'));
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    onAbort();
  }, timeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return {
    signal: limit.signal,
    isOver: () => isOver,
    leftMs: () => Math.max(1, endsMs - performance.now() - LEFT_FOR_WORDS_MS),
    end() {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
  };
}

/** A lookup goes on when nobody waits for it any more; its end concerns nobody then. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new Error('given up'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/**
 * Whether a host, as it stands in the Peer object, is dialled without the proxy. A name is compared as text: what it resolves
 * to is the proxy's to find out. Loopback never goes through it: there it would be the proxy's own.
 */
export function makeExceptions(entries: readonly string[]): (host: string) => boolean {
  const networks = new BlockList();
  networks.addSubnet('127.0.0.0', 8, 'ipv4');
  networks.addAddress('::1', 'ipv6');
  const domains: string[] = ['localhost'];
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address);
    if (family === 0) domains.push(entry.toLowerCase());
    else networks.addSubnet(address, Number(bits ?? (family === 4 ? 32 : 128)), familyOf(family));
  }
  return (host) => {
    const family = isIP(host);
    // A zone ("fe80::1%eth0") says where to send, not what the address is.
    if (family !== 0) return networks.check(host.replace(/%.*$/, ''), familyOf(family));
    const name = host.toLowerCase().replace(/\.$/, '');
    return domains.some((domain) => name === domain || name.endsWith(domain.startsWith('.') ? domain : `.${domain}`));
  };
}

function familyOf(family: number): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6';
}
