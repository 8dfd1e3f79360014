/** TLS on both sides of a connection between peers: who calls, whom we call, and the exact reason when it comes to nothing. */
import type { X509Certificate } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import type { Distrust } from '../fabric/distrust.ts';
import type { PeerIdentity } from '../fabric/files.ts';
import {
  clientTlsOptions,
  reasonOfTlsError,
  serverTlsOptions,
  verifyPeerSocket,
  type PeerVerdict,
  type WireForm,
} from '../fabric/tls.ts';
import { makeTrust, type Trust } from '../fabric/trust.ts';
import { listenTcpAtEvery } from '../runtime/every-address.ts';
import { formatHostPort, type HostPort } from '../runtime/host-port.ts';
import { resetSocket } from '../runtime/reset-socket.ts';
import type { Caller } from './clusterlink/served-connections.ts';
import type { Tickets } from './clusterlink/tickets.ts';
import { callerAddress, describeCaller } from './connection-ends.ts';
import { makeConnector, type Connector } from './gateway-connector.ts';
import { keepAlive } from './keep-alive.ts';
import { makeHandshakeQueue } from './handshake-queue.ts';
import { makeHandshakeRate, type HandshakeLimit } from './handshake-rate.ts';
import { HANDSHAKE_TIMEOUT_MS } from './limits.ts';
import { rememberRawSocket } from './raw-socket.ts';

export interface AcceptorOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly identity: () => PeerIdentity;
  /** Asked at every connection; absent: the fabric's roots vouch for everybody, and nothing is revoked. */
  readonly trust?: () => Trust;
  /** A caller whose certificate names `peer`; the handshake is done. */
  onPeer(peer: string, socket: TLSSocket): void;
  /** The same for one that speaks ClusterLink's form; absent: that is not spoken here. */
  onClusterLinkPeer?(caller: Caller): void;
  /** Whether that name is a peer's here: one that nobody has named is a stranger, whatever its certificate. Absent: all are. */
  isPeer?(peer: string): boolean;
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
  /** Callers that wait for theirs. */
  readonly waiting: number;
  /** Takes no further callers; those that have come stay. */
  retire(): void;
  close(): Promise<void>;
}

/**
 * Listens for peers. Handshakes in flight are bounded before TLS begins: nothing is known of a caller until it has one.
 *
 * @throws {AppError} `ERR_LISTEN` when the address cannot be had.
 */
export async function startAcceptor(options: AcceptorOptions): Promise<Acceptor> {
  const {
    listen,
    identity,
    onPeer,
    onClusterLinkPeer,
    isPeer = () => true,
    onRefused,
    onLimit,
    onDistrusted,
  } = options;
  const forms: readonly WireForm[] = onClusterLinkPeer === undefined ? ['session'] : ['session', 'clusterlink'];
  const trust = options.trust ?? (() => trustOfFabric(identity()));
  const now = (): number => performance.now();
  const rate = makeHandshakeRate({ now });
  const queue = makeHandshakeQueue({ rate, now });
  /** Handshakes that were ended here for other callers, and of which TLS has not said yet that they are. */
  let yielded = 0;
  /** By the caller's address and port; ends the counting of its handshake. */
  const inFlight = new Map<string, (end: 'proved' | 'failed') => void>();
  /** Connections, by the same. */
  const raws = new Map<string, Socket>();
  let inForce = { identity: identity(), caPem: trust().serverCaPem };
  const contextOf = ({ identity: own, caPem }: typeof inForce) => serverTlsOptions(own, { caPem, forms });
  const tls = createTlsServer({ ...contextOf(inForce), handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
  /** Handshakes that have begun, and connections, stay with the certificate that they have. */
  const followIdentity = (): void => {
    const now = { identity: identity(), caPem: trust().serverCaPem };
    if (now.identity === inForce.identity && now.caPem === inForce.caPem) return;
    tls.setSecureContext(contextOf(now));
    inForce = now;
  };

  function welcome(socket: TLSSocket, { peer, form, certificate }: Extract<PeerVerdict, { ok: true }>): void {
    if (form === 'session') return onPeer(peer, socket);
    const raw = raws.get(callerOf(socket));
    if (raw === undefined) return void socket.destroy();
    rememberRawSocket(socket, raw);
    onClusterLinkPeer?.({ peer, socket, certificate });
  }

  tls.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    const verified = verifyPeerSocket(socket, { trust: trust(), forms });
    inFlight.get(callerOf(socket))?.(verified.ok && isPeer(verified.peer) ? 'proved' : 'failed');
    if (verified.ok) return welcome(socket, verified);
    const { peer } = verified;
    const from = describeCaller(socket, peer);
    socket.destroy();
    onRefused(verified.reason, from);
    if (peer !== undefined) onDistrusted?.(peer, verified);
  });
  tls.on('tlsClientError', (error, socket) => {
    const from = callerAddress(socket);
    socket.destroy();
    const reason = reasonOfTlsError(error);
    if (reason === REASONS.Aborted && yielded > 0) yielded--;
    else onRefused(reason, from);
  });

  // What a caller says while it waits stays in the kernel.
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
    keepAlive(socket);
    socket.on('error', () => undefined);
    const turnAway = (limit: HandshakeLimit): void => {
      onLimit?.(limit);
      onRefused(REASONS.Overloaded, callerAddress(socket));
      resetSocket(socket);
    };
    const caller = callerOf(socket);
    /** Once it has begun. Of its own: two callers that have left already may have one name. */
    let endHandshake: ((end: 'proved' | 'failed') => void) | undefined;
    const leave = queue.enter({
      address: callerAddress(socket),
      refuse: turnAway,
      yieldPlace() {
        yielded++;
        turnAway('handshakes');
      },
      start({ proved, done }) {
        const end = (how: 'proved' | 'failed'): void => {
          if (inFlight.get(caller) === end) inFlight.delete(caller);
          if (how === 'proved') proved();
          done();
        };
        endHandshake = end;
        inFlight.set(caller, end);
        followIdentity();
        tls.emit('connection', socket);
      },
    });
    raws.set(caller, socket);
    // A handshake that fails ends with its socket.
    socket.once('close', () => {
      if (raws.get(caller) === socket) raws.delete(caller);
      endHandshake?.('failed');
      leave();
    });
  });
  const address = await listenOn(server, listen);
  return {
    address,
    get handshakes() {
      return rate.inFlight;
    },
    get waiting() {
      return queue.waiting;
    },
    retire: () => void server.close(),
    close() {
      queue.close();
      for (const socket of raws.values()) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function listenOn(server: Server, at: HostPort): Promise<Acceptor['address']> {
  try {
    const address = await listenTcpAtEvery(server, at);
    server.on('error', () => undefined);
    return address;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const fix = 'choose another address in gateway.listen, or stop what listens there';
    throw new AppError('ERR_LISTEN', `gateway.listen ${formatHostPort(at)}: ${code ?? message}`, { cause, fix });
  }
}

export interface DialPeerOptions {
  readonly peer: string;
  readonly gateway: { readonly host: string; readonly port: number };
  readonly identity: PeerIdentity;
  /** Asked before the handshake and after it; absent: as for {@link AcceptorOptions}. */
  readonly trust?: () => Trust;
  /** The way there, up to where TLS begins; absent: directly. */
  readonly connect?: Connector['connect'];
  /** That may be spoken there; absent: sessions alone. */
  readonly forms?: readonly WireForm[];
  /** Of this gateway, and of no other; absent: a full handshake. */
  readonly tickets?: Tickets;
  readonly signal: AbortSignal;
}

export type DialPeerResult =
  /** `address`: which of those that the gateway's name has; absent where a proxy has resolved it. */
  | {
      readonly ok: true;
      readonly socket: TLSSocket;
      readonly form: WireForm;
      /** Of the peer: where the handshake is a resumed one, of the one before. */
      readonly certificate: X509Certificate;
      readonly address?: string;
    }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

/** Connects to a gateway and proves that it is the peer. Never rejects. */
export async function dialPeer(options: DialPeerOptions): Promise<DialPeerResult> {
  const { peer, gateway, identity, connect = makeConnector({}).connect, forms, tickets, signal } = options;
  const trust = options.trust ?? (() => trustOfFabric(identity));
  const where = `${gateway.host}:${gateway.port}`;
  const roots = trust().rootsFor(peer);
  if (!roots.ok) return { ok: false, ...roots.why };
  const { caPem } = roots;
  const endsMs = performance.now() + HANDSHAKE_TIMEOUT_MS;
  const connected = await connect(gateway, { signal, timeoutMs: HANDSHAKE_TIMEOUT_MS });
  if (!connected.ok) return { ...connected, message: `${where}: ${connected.message}` };
  const { socket: raw, address } = connected;
  const isTrusted = (certificate: X509Certificate): boolean =>
    trust().judge({ peer, certificate, nowMs: Date.now() }) === undefined;
  const ticket = tickets?.find({ identity, caPem, isTrusted });
  return new Promise((resolve) => {
    const offered = ticket === undefined ? {} : { session: ticket.session };
    const socket = connectTls({ socket: raw, ...clientTlsOptions(identity, { peer, caPem }), ...offered });
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
      // Should it be the session that is refused, the next handshake is a full one. A gateway that is late refuses nothing.
      if (ticket !== undefined && reason !== REASONS.HandshakeTimeout && !signal.aborted) tickets?.drop();
      socket.destroy();
      settle({ ok: false, reason, message: `${where}: ${message}` });
    };
    const onClose = (): void => fail(REASONS.PeerUnreachable, 'closed during the handshake');
    signal.addEventListener('abort', onAbort, { once: true });
    // Stays: a socket that fails after it was settled must not end the process.
    socket.on('error', (error) => fail(reasonOfDialError(error), error.message));
    socket.once('close', onClose);
    socket.once('secureConnect', () => {
      const resumed = ticket?.proof.certificate;
      const verified = verifyPeerSocket(socket, { trust: trust(), expected: peer, forms, resumed });
      if (!verified.ok) return fail(verified.reason, verified.message);
      socket.off('close', onClose);
      const { form, certificate } = verified;
      if (form === 'clusterlink') {
        rememberRawSocket(socket, raw);
        const proof = socket.isSessionReused() ? ticket?.proof : undefined;
        tickets?.collect(socket, proof ?? { certificate, identity, caPem, provenMs: performance.now() });
      }
      settle({ ok: true, socket, form, certificate, ...(address === undefined ? {} : { address }) });
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
