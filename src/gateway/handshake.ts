/** TLS on both sides of a session: who calls, whom we call, and the exact reason when it comes to nothing. */
import { createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import type { Distrust } from '../fabric/distrust.ts';
import type { PeerIdentity } from '../fabric/files.ts';
import { clientTlsOptions, reasonOfTlsError, serverTlsOptions, verifyPeerSocket } from '../fabric/tls.ts';
import { makeTrust, type Trust } from '../fabric/trust.ts';
import { makeConnector, type Connector } from './gateway-connector.ts';
import { keepAlive } from './keep-alive.ts';
import { makeHandshakeRate, type HandshakeLimit } from './handshake-rate.ts';
import { HANDSHAKE_TIMEOUT_MS } from './limits.ts';

export interface AcceptorOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly identity: () => PeerIdentity;
  /** Asked at every connection; absent: the fabric's roots vouch for everybody, and nothing is revoked. */
  readonly trust?: () => Trust;
  /** A caller whose certificate names `peer`; the handshake is done. */
  onPeer(peer: string, socket: TLSSocket): void;
  /** A caller that was turned away before it had a name. */
  onRefused(reason: Reason, from: string): void;
  /** The same before TLS began, for want of room: told besides. */
  onLimit?(limit: HandshakeLimit): void;
  /** One of those whose certificate names a peer, by a root that does not vouch for it here, or does no more. */
  onDistrusted?(peer: string, why: Pick<Distrust, 'message'> & { readonly reason: Reason }): void;
}

export interface Acceptor {
  readonly address: { readonly host: string; readonly port: number };
  /** Handshakes in flight. */
  readonly handshakes: number;
  close(): Promise<void>;
}

/**
 * Listens for peers. Handshakes in flight are bounded before TLS begins: nothing is known of a caller until it has one.
 *
 * @throws {AppError} `ERR_LISTEN` when the address cannot be had.
 */
export async function startAcceptor(options: AcceptorOptions): Promise<Acceptor> {
  const { listen, identity, onPeer, onRefused, onLimit, onDistrusted } = options;
  const trust = options.trust ?? (() => trustOfFabric(identity()));
  const raw = new Set<Socket>();
  const rate = makeHandshakeRate({ now: () => performance.now() });
  /** Handshakes that were ended here for other callers, and of which TLS has not said yet that they are. */
  let yielded = 0;
  /** By the caller's address and port; ends the counting of its handshake. */
  const inFlight = new Map<string, () => void>();
  let inForce = { identity: identity(), caPem: trust().serverCaPem };
  const contextOf = ({ identity: own, caPem }: typeof inForce) => serverTlsOptions(own, { caPem });
  const tls = createTlsServer({ ...contextOf(inForce), handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
  /** Handshakes that have begun, and connections, stay with the certificate that they have. */
  const followIdentity = (): void => {
    const now = { identity: identity(), caPem: trust().serverCaPem };
    if (now.identity === inForce.identity && now.caPem === inForce.caPem) return;
    tls.setSecureContext(contextOf(now));
    inForce = now;
  };
  tls.on('secureConnection', (socket) => {
    inFlight.get(callerOf(socket))?.();
    socket.on('error', () => undefined);
    const verified = verifyPeerSocket(socket, { trust: trust() });
    if (verified.ok) return onPeer(verified.peer, socket);
    const from = fromOf(socket);
    socket.destroy();
    const { peer } = verified;
    onRefused(verified.reason, peer === undefined ? from : `${peer} at ${from}`);
    if (peer !== undefined) onDistrusted?.(peer, verified);
  });
  tls.on('tlsClientError', (error, socket) => {
    const from = fromOf(socket);
    socket.destroy();
    const reason = reasonOfTlsError(error);
    if (reason === REASONS.Aborted && yielded > 0) yielded--;
    else onRefused(reason, from);
  });

  const server = createServer({ noDelay: true }, (socket) => {
    keepAlive(socket);
    socket.on('error', () => undefined);
    const turnAway = (limit: HandshakeLimit): void => {
      onLimit?.(limit);
      onRefused(REASONS.Overloaded, fromOf(socket));
      socket.resetAndDestroy();
    };
    const verdict = rate.admit(fromOf(socket), () => {
      yielded++;
      turnAway('handshakes');
    });
    if (!verdict.ok) return turnAway(verdict.limit);
    const caller = callerOf(socket);
    const done = (): void => {
      verdict.done();
      if (inFlight.get(caller) === done) inFlight.delete(caller);
    };
    inFlight.set(caller, done);
    raw.add(socket);
    // A handshake that fails ends with its socket.
    socket.once('close', () => {
      raw.delete(socket);
      done();
    });
    followIdentity();
    tls.emit('connection', socket);
  });
  const address = await listenOn(server, listen);
  return {
    address,
    get handshakes() {
      return rate.inFlight;
    },
    close() {
      for (const socket of raw) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function listenOn(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<Acceptor['address']> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const fix = 'choose another address in gateway.listen, or stop what listens there';
      reject(
        new AppError('ERR_LISTEN', `gateway.listen ${host}:${port}: ${cause.code ?? cause.message}`, { cause, fix }),
      );
    });
    server.listen({ host, port }, () => {
      server.removeAllListeners('error');
      server.on('error', () => undefined);
      const address = server.address();
      resolve({ host, port: typeof address === 'object' && address !== null ? address.port : port });
    });
  });
}

export interface DialPeerOptions {
  readonly peer: string;
  readonly gateway: { readonly host: string; readonly port: number };
  readonly identity: PeerIdentity;
  /** Asked before the handshake and after it; absent: as for {@link AcceptorOptions}. */
  readonly trust?: () => Trust;
  /** The way there, up to where TLS begins; absent: directly. */
  readonly connect?: Connector['connect'];
  readonly signal: AbortSignal;
}

export type DialPeerResult =
  /** `address`: which of those that the gateway's name has; absent where a proxy has resolved it. */
  | { readonly ok: true; readonly socket: TLSSocket; readonly address?: string }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

/** Connects to a gateway and proves that it is the peer. Never rejects. */
export async function dialPeer(options: DialPeerOptions): Promise<DialPeerResult> {
  const { peer, gateway, identity, connect = makeConnector({}).connect, signal } = options;
  const trust = options.trust ?? (() => trustOfFabric(identity));
  const where = `${gateway.host}:${gateway.port}`;
  const roots = trust().rootsFor(peer);
  if (!roots.ok) return { ok: false, ...roots.why };
  const { caPem } = roots;
  const endsMs = performance.now() + HANDSHAKE_TIMEOUT_MS;
  const connected = await connect(gateway, { signal, timeoutMs: HANDSHAKE_TIMEOUT_MS });
  if (!connected.ok) return { ...connected, message: `${where}: ${connected.message}` };
  const { socket: raw, address } = connected;
  return new Promise((resolve) => {
    const socket = connectTls({ socket: raw, ...clientTlsOptions(identity, { peer, caPem }) });
    const timer = setTimeout(
      () => fail(REASONS.HandshakeTimeout, 'no handshake in time'),
      Math.max(0, endsMs - performance.now()),
    );
    const onAbort = (): void => fail(REASONS.PeerUnreachable, 'given up');
    const settle = (result: DialPeerResult): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(result);
    };
    const fail = (reason: Reason, message: string): void => {
      socket.destroy();
      settle({ ok: false, reason, message: `${where}: ${message}` });
    };
    const onClose = (): void => fail(REASONS.PeerUnreachable, 'closed during the handshake');
    signal.addEventListener('abort', onAbort, { once: true });
    // Stays: a socket that fails after it was settled must not end the process.
    socket.on('error', (error) => fail(reasonOfDialError(error), error.message));
    socket.once('close', onClose);
    socket.once('secureConnect', () => {
      const verified = verifyPeerSocket(socket, { trust: trust(), expected: peer });
      if (!verified.ok) return fail(verified.reason, verified.message);
      socket.off('close', onClose);
      settle({ ok: true, socket, ...(address === undefined ? {} : { address }) });
    });
    if (signal.aborted) onAbort();
  });
}

function trustOfFabric({ peer, caPem }: PeerIdentity): Trust {
  return makeTrust({ self: peer, caPem });
}

/** What the network says before TLS begins is that nobody is there; what comes later is TLS's. */
function reasonOfDialError(error: Error): Reason {
  const code = 'code' in error ? String(error.code) : '';
  const isNetwork = [
    'ECONNREFUSED',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ETIMEDOUT',
    'ENOTFOUND',
    'EAI_AGAIN',
    'ECONNRESET',
  ].includes(code);
  return isNetwork ? REASONS.PeerUnreachable : reasonOfTlsError(error);
}

/** The same for a connection and for the TLS over it; unique while it is open. */
function callerOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0}`;
}

function fromOf(socket: Socket): string {
  return socket.remoteAddress ?? 'unknown';
}
