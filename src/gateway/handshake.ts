/** TLS on both sides of a session: who calls, whom we call, and the exact reason when it comes to nothing. */
import { createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import type { PeerIdentity } from '../fabric/files.ts';
import { clientTlsOptions, reasonOfTlsError, serverTlsOptions, verifyPeerSocket } from '../fabric/tls.ts';
import { keepAlive } from './keep-alive.ts';
import { HANDSHAKE_TIMEOUT_MS, HANDSHAKES_MAX } from './limits.ts';

export interface AcceptorOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly identity: () => PeerIdentity;
  /** A caller whose certificate names `peer`; the handshake is done. */
  onPeer(peer: string, socket: TLSSocket): void;
  /** A caller that was turned away before it had a name. */
  onRefused(reason: Reason, from: string): void;
}

export interface Acceptor {
  readonly address: { readonly host: string; readonly port: number };
  close(): Promise<void>;
}

/**
 * Listens for peers. Handshakes in flight are bounded before TLS begins: nothing is known of a caller until it has one.
 *
 * @throws {AppError} `ERR_LISTEN` when the address cannot be had.
 */
export async function startAcceptor({ listen, identity, onPeer, onRefused }: AcceptorOptions): Promise<Acceptor> {
  const raw = new Set<Socket>();
  let handshakes = 0;
  let inForce = identity();
  const tls = createTlsServer({ ...serverTlsOptions(inForce), handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
  /** Handshakes that have begun, and connections, stay with the certificate that they have. */
  const followIdentity = (): void => {
    const now = identity();
    if (now === inForce) return;
    tls.setSecureContext(serverTlsOptions(now));
    inForce = now;
  };
  tls.on('secureConnection', (socket) => {
    handshakes--;
    socket.on('error', () => undefined);
    const verified = verifyPeerSocket(socket, {});
    if (verified.ok) return onPeer(verified.peer, socket);
    const from = fromOf(socket);
    socket.destroy();
    onRefused(verified.reason, from);
  });
  tls.on('tlsClientError', (error, socket) => {
    handshakes--;
    const from = fromOf(socket);
    socket.destroy();
    onRefused(reasonOfTlsError(error), from);
  });

  const server = createServer({ noDelay: true }, (socket) => {
    keepAlive(socket);
    socket.on('error', () => undefined);
    if (handshakes >= HANDSHAKES_MAX) {
      socket.resetAndDestroy();
      return onRefused(REASONS.Overloaded, fromOf(socket));
    }
    handshakes++;
    raw.add(socket);
    socket.once('close', () => raw.delete(socket));
    followIdentity();
    tls.emit('connection', socket);
  });
  const address = await listenOn(server, listen);
  return {
    address,
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
  readonly signal: AbortSignal;
}

export type DialPeerResult =
  | { readonly ok: true; readonly socket: TLSSocket }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

/** Connects to a gateway and proves that it is the peer. Never rejects. */
export function dialPeer({ peer, gateway, identity, signal }: DialPeerOptions): Promise<DialPeerResult> {
  const where = `${gateway.host}:${gateway.port}`;
  return new Promise((resolve) => {
    const socket = connectTls({ host: gateway.host, port: gateway.port, ...clientTlsOptions(identity, { peer }) });
    socket.setNoDelay(true);
    keepAlive(socket);
    const timer = setTimeout(() => fail(REASONS.HandshakeTimeout, 'no handshake in time'), HANDSHAKE_TIMEOUT_MS);
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
      const verified = verifyPeerSocket(socket, { expected: peer });
      if (!verified.ok) return fail(verified.reason, verified.message);
      socket.off('close', onClose);
      settle({ ok: true, socket });
    });
    if (signal.aborted) onAbort();
  });
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

function fromOf(socket: Socket): string {
  return socket.remoteAddress ?? 'unknown';
}
