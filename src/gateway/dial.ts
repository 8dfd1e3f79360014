/** Connects an export's connection to one of its ready endpoints: resolve, filter, dial, and on failure the next one. */
import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { REASONS, type Reason } from '../api/reasons.ts';
import type { Endpoint } from '../catalogue/types.ts';
import { keepAlive } from './keep-alive.ts';
import { DIAL_TIMEOUT_MS, DIALS_PER_CONNECTION_MAX } from './limits.ts';
import type { TargetFilter } from './targets.ts';

export type DialResult =
  | { readonly ok: true; readonly socket: Socket; readonly endpoint: Endpoint }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

export interface DialOptions {
  /** In the order in which they are tried. */
  readonly endpoints: readonly Endpoint[];
  /** Of the export. */
  readonly namespace: string;
  readonly targets: TargetFilter;
  /** Aborted when nobody waits for the connection any more. */
  readonly signal: AbortSignal;
  /** Tests shorten it. */
  readonly keepAliveMs?: number | undefined;
}

/** Tries up to three endpoints. The socket can be half-open, nothing of it is read yet, and its errors are the caller's. */
export async function dialEndpoint(options: DialOptions): Promise<DialResult> {
  const { endpoints, namespace, targets, signal, keepAliveMs } = options;
  if (endpoints.length === 0) {
    return { ok: false, reason: REASONS.NoUsableSource, message: 'The export has no ready endpoint.' };
  }
  let failure: DialResult = { ok: false, reason: REASONS.DialFailed, message: 'No endpoint was tried.' };
  const isAllowed = (named: string, address: string, port: number): boolean =>
    targets.allows({ named, address, port, namespace });
  for (const endpoint of endpoints.slice(0, DIALS_PER_CONNECTION_MAX)) {
    if (signal.aborted) break;
    const result = await dialOne(endpoint, isAllowed, signal);
    if (result.ok) {
      keepAlive(result.socket, keepAliveMs);
      return result;
    }
    failure = result;
  }
  return failure;
}

/** Aborted when whoever asked is gone. */
export function signalOfClose(asker: Duplex): AbortSignal {
  const gone = new AbortController();
  if (asker.destroyed) gone.abort();
  else asker.once('close', () => gone.abort());
  return gone.signal;
}

type IsAllowed = (named: string, address: string, port: number) => boolean;

async function dialOne(endpoint: Endpoint, isAllowed: IsAllowed, signal: AbortSignal): Promise<DialResult> {
  const where = `${endpoint.host}:${endpoint.port}`;
  const limited = AbortSignal.any([signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
  try {
    const address = isIP(endpoint.host) ? endpoint.host : await resolve(endpoint.host, limited);
    if (!isAllowed(endpoint.host, address, endpoint.port)) {
      const message = `${where} is not among the permitted targets. Fix: add it to exports.targets in the configuration.`;
      return { ok: false, reason: REASONS.TargetForbidden, message };
    }
    return { ok: true, endpoint, socket: await connectTo(address, endpoint.port, limited) };
  } catch (error) {
    const cause = limited.aborted && !signal.aborted ? 'no answer in time' : describe(error);
    return { ok: false, reason: REASONS.DialFailed, message: `${where}: ${cause}` };
  }
}

async function resolve(host: string, signal: AbortSignal): Promise<string> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('name not resolved in time')), { once: true });
  });
  const { address } = await Promise.race([lookup(host), aborted]);
  return address;
}

function connectTo(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const onAbort = (): void => fail(new Error('no answer in time'));
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', onAbort);
      abandon(socket);
      reject(error);
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', fail);
      resolve(socket);
    });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

/** The endpoint may have accepted it although nobody here has heard of that: it sees a reset, not a client that has nothing to say. */
function abandon(socket: Socket): void {
  if (!socket.connecting) return void socket.destroy();
  socket.on('error', () => undefined);
  // Resets as soon as it is connected, which may be never.
  socket.resetAndDestroy();
  const timer = setTimeout(() => socket.destroy(), DIAL_TIMEOUT_MS);
  socket.once('close', () => clearTimeout(timer));
}

function describe(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
