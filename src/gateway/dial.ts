/** Connects an export's connection to one of its ready endpoints: resolve, filter, dial, and on failure the next one. */
import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { REASONS, type Reason } from '../api/reasons.ts';
import type { Endpoint } from '../catalogue/types.ts';
import { limitAsker, type Asker } from './asker.ts';
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
  /** Who waits for the connection. */
  readonly asker: Asker;
  /** Tests shorten it. */
  readonly keepAliveMs?: number | undefined;
}

/** Tries up to three endpoints. The socket can be half-open, nothing of it is read yet, and its errors are the caller's. */
export async function dialEndpoint(options: DialOptions): Promise<DialResult> {
  const { endpoints, namespace, targets, asker, keepAliveMs } = options;
  if (endpoints.length === 0) {
    return { ok: false, reason: REASONS.NoUsableSource, message: 'The export has no ready endpoint.' };
  }
  let failure: DialResult = { ok: false, reason: REASONS.DialFailed, message: 'No endpoint was tried.' };
  const isAllowed = (named: string, address: string, port: number): boolean =>
    targets.allows({ named, address, port, namespace });
  for (const endpoint of endpoints.slice(0, DIALS_PER_CONNECTION_MAX)) {
    if (asker.isGone) break;
    const result = await dialOne(endpoint, isAllowed, asker);
    if (result.ok) {
      keepAlive(result.socket, keepAliveMs);
      return result;
    }
    failure = result;
  }
  return failure;
}

type IsAllowed = (named: string, address: string, port: number) => boolean;

async function dialOne(endpoint: Endpoint, isAllowed: IsAllowed, asker: Asker): Promise<DialResult> {
  const where = `${endpoint.host}:${endpoint.port}`;
  const limited = limitAsker(asker, DIAL_TIMEOUT_MS);
  try {
    const address = isIP(endpoint.host) ? endpoint.host : await resolve(endpoint.host, limited);
    if (!isAllowed(endpoint.host, address, endpoint.port)) {
      const message = `${where} is not among the permitted targets. Fix: add it to exports.targets in the configuration.`;
      return { ok: false, reason: REASONS.TargetForbidden, message };
    }
    return { ok: true, endpoint, socket: await connectTo(address, endpoint.port, limited) };
  } catch (error) {
    const cause = limited.isLate ? 'no answer in time' : describe(error);
    return { ok: false, reason: REASONS.DialFailed, message: `${where}: ${cause}` };
  } finally {
    limited.end();
  }
}

async function resolve(host: string, asker: Asker): Promise<string> {
  const gone = new Promise<never>((_, reject) => {
    asker.onGone(() => reject(new Error('name not resolved in time')));
  });
  const { address } = await Promise.race([lookup(host), gone]);
  return address;
}

function connectTo(host: string, port: number, asker: Asker): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const onGone = (): void => fail(new Error('no answer in time'));
    const fail = (error: Error): void => {
      forget();
      abandon(socket);
      reject(error);
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      forget();
      socket.off('error', fail);
      resolve(socket);
    });
    const forget = asker.onGone(onGone);
    if (asker.isGone) onGone();
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
