/**
 * One gateway of a peer that speaks ClusterLink's form, kept under watch by heartbeats: `POST /authz`, then `CONNECT`, each
 * connection of a client over a TLS connection of its own. It is lost when its heartbeats are not answered; tunnels through it
 * are connections of their own, and go on.
 */
import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { AppError } from '../../api/errors.ts';
import { REASONS } from '../../api/reasons.ts';
import type { PeerAccount } from '../account.ts';
import type { DialPeerResult } from '../handshake.ts';
import { HANDSHAKE_TIMEOUT_MS } from '../limits.ts';
import { resetConnection } from '../relay.ts';
import type { PeerSide } from '../tunnel.ts';
import type { ConnectRequest } from '../wire/connect.ts';
import type { ResponseHead } from '../wire/head.ts';
import {
  encodeAuthz,
  encodeTunnelRequest,
  parseAuthzAnswer,
  refusalOfTunnel,
  type AuthzAnswer,
  type Importer,
} from './authz.ts';
import { makeConnection, type GatewayConnection } from './connection.ts';
import { startHeartbeat } from './heartbeat.ts';
import { encodeHeartbeat, parseHeartbeatAnswer, type PeerLabels } from './heartbeat-answer.ts';
import { makeKeptConnections } from './kept.ts';
import { CONNECTION_BYTES, DIAL_FAILURES_MAX, HEARTBEAT_INTERVAL_MS, KEPT_CONNECTIONS_MIN } from './limits.ts';
import { makeOpener, type Dialled, type TunnelFailure } from './opener.ts';
import { makePeerSide } from './peer-side.ts';
import { watchStalled, type StalledWatch } from './stalled.ts';
import { makeTunnelStream, type TunnelStream } from './tunnel-stream.ts';

export interface ClusterLinkLink {
  readonly form: 'clusterlink';
  readonly peer: string;
  /** Of the connection by which it was found. */
  readonly certificate: X509Certificate | undefined;
  /** `instance`: its address, since it says nothing of itself. */
  readonly hello: { readonly instance: string; readonly version: string; readonly features: readonly string[] };
  readonly draining: boolean;
  /** Its peer holds as much of this process as new connections may add to. */
  readonly full: boolean;
  readonly rttMs: number;
  /** What the peer claims to be labelled. No decision is made by it. */
  readonly labels: PeerLabels;
  /** How long ago it was heard last. */
  readonly silentMs: number;
  /** Never rejects. Nothing of the client is sent before the peer's yes. */
  open(request: ConnectRequest, timeoutMs: number): Promise<TunnelAttempt>;
  /** Asks for the decision alone. Never rejects. */
  decide(request: ConnectRequest, timeoutMs: number): Promise<{ readonly ok: true } | TunnelFailure>;
  /** Another one stands in for it. Tunnels go on. */
  retire(): void;
  close(): void;
  destroy(error: AppError): void;
}

export type TunnelAttempt =
  { readonly ok: true; readonly upstream: Duplex; readonly peerSide: PeerSide } | TunnelFailure;

/** `certificate`: of its handshake, or of the one that this resumes. */
export type ShownConnection = Pick<Extract<DialPeerResult, { ok: true }>, 'socket' | 'certificate'>;

export interface LinkOptions {
  /** The handshake is done, and nothing was sent. */
  readonly first: ShownConnection;
  readonly peer: string;
  /** `host:port` as the Peer object has it. */
  readonly address: string;
  readonly self: Importer;
  readonly now: () => number;
  /** All connections of the peer count there; one that nobody reads may be cut for it. */
  readonly memory: PeerAccount;
  /** A further connection to the same gateway; it may be another form that is spoken there by now. */
  dial(signal: AbortSignal): Promise<DialPeerResult>;
  /** Told of every connection while it lives, so that it can be ended with its certificate. */
  onConnection(peer: string, connection: ShownConnection): void;
  /** One of them has become a tunnel, which is this stream from now on. */
  onTunnel(socket: TLSSocket, stream: Duplex): void;
  /** It claims other labels. */
  onChange(link: ClusterLinkLink): void;
  onClose(link: ClusterLinkLink, error: Error | undefined): void;
}

/** What is asked for one client, and the time that is left for the answer. */
interface Asked {
  readonly request: ConnectRequest;
  readonly leftMs: () => number;
}

const FIX_UNREACHABLE = 'check that the peer runs and that the network between the gateways works';
/** Of the peer's side, when the form itself says what runs there and not which version. */
export const CLUSTERLINK_VERSION = 'clusterlink';

/**
 * A gateway is one when it has answered a heartbeat.
 *
 * @throws {AppError} `ERR_TIMEOUT`, `ERR_MALFORMED` or `ERR_STREAM_RESET`, or the error of TLS; the socket is destroyed then.
 */
export async function establishLink(options: LinkOptions): Promise<ClusterLinkLink> {
  const { peer, address, now, memory, dial, onConnection, onTunnel, onChange, onClose } = options;
  const kept = makeKeptConnections({ now });
  const closing = new AbortController();
  const opener = makeOpener({ peer, address, now, kept, connect });
  let isRetired = false;
  /** Dials of heartbeats in a row: one may meet a bound of the other side, in a burst. */
  let failures = 0;

  const tunnels = new Set<TunnelStream>();
  let stalled: StalledWatch | undefined;

  const first = adopt(options.first);
  const askedMs = now();
  let labels = await readLabels(first, HANDSHAKE_TIMEOUT_MS);
  const heartbeat = startHeartbeat({ now, rttMs: now() - askedMs, ask: beat, onSilent });
  kept.keep(first);

  function adopt(made: ShownConnection): GatewayConnection {
    const { socket } = made;
    onConnection(peer, made);
    const cost = memory.hold();
    cost.set(CONNECTION_BYTES);
    socket.once('close', () => cost.set(0));
    if (socket.destroyed) cost.set(0);
    // A gateway that goes closes all that is idle.
    return makeConnection({ socket, now, onIdleClose: () => heartbeat.doubt() });
  }

  function onSilent(silentMs: number): void {
    const message = `${address}: no heartbeat was answered for ${silentMs} ms`;
    stalled = watchStalled({ tunnels, reach, cut: (tunnel) => resetConnection(tunnel, stalledError()) });
    end(new AppError('ERR_TIMEOUT', message, { retryable: true, fix: FIX_UNREACHABLE }));
  }

  async function reach(): Promise<boolean> {
    const dialled = await dial(AbortSignal.timeout(HANDSHAKE_TIMEOUT_MS));
    if (dialled.ok) dialled.socket.destroy();
    return dialled.ok;
  }

  function stalledError(): AppError {
    const message = `peer ${peer}: ${address} cannot be reached, and bytes of this connection went unanswered`;
    return new AppError('ERR_TIMEOUT', message, { retryable: true, fix: FIX_UNREACHABLE });
  }

  async function beat(): Promise<void> {
    const present = kept.takeOldest();
    const dialled: Dialled = present === undefined ? await connect(closing.signal) : { ok: true, connection: present };
    if (dialled.ok) {
      failures = 0;
      await askOver(dialled.connection);
    } else if (++failures >= DIAL_FAILURES_MAX || dialled.reason !== REASONS.PeerUnreachable) {
      // What listens there now, or that nobody does, is for whoever dials it anew to find out.
      return end(new AppError('ERR_STREAM_RESET', dialled.message, { retryable: true }));
    }
    const isWell = !closing.signal.aborted && heartbeat.silentMs < HEARTBEAT_INTERVAL_MS;
    if (!isWell || kept.size >= KEPT_CONNECTIONS_MIN) return;
    const spare = await connect(closing.signal);
    if (spare.ok) await askOver(spare.connection);
  }

  async function askOver(connection: GatewayConnection): Promise<void> {
    const sentMs = now();
    try {
      const told = await readLabels(connection, heartbeat.patienceMs);
      heartbeat.heard(now() - sentMs);
      kept.keep(connection);
      if (closing.signal.aborted || isDeepStrictEqual(told, labels)) return;
      labels = told;
      onChange(link);
    } catch {
      // Silence is judged by the pulse; what is no good answer is as good as none.
    }
  }

  async function readLabels(connection: GatewayConnection, timeoutMs: number): Promise<PeerLabels> {
    try {
      return parseHeartbeatAnswer(await connection.ask(encodeHeartbeat(address), timeoutMs));
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  async function connect(signal: AbortSignal): Promise<Dialled> {
    const dialled = await dial(signal);
    if (!dialled.ok) return { ok: false, reason: dialled.reason, message: dialled.message };
    if (dialled.form === 'clusterlink') return { ok: true, connection: adopt(dialled) };
    dialled.socket.destroy();
    end(new AppError('ERR_STREAM_RESET', `${address}: it speaks our own form now`, { retryable: true }));
    return { ok: false, reason: REASONS.PeerUnreachable, message: `${address} has just changed its form.` };
  }

  function end(error: Error | undefined): void {
    if (closing.signal.aborted) return;
    closing.abort();
    heartbeat.stop();
    kept.close();
    if (error !== undefined) opener.giveUp();
    onClose(link, error);
  }

  async function authorize(connection: GatewayConnection, { request, leftMs }: Asked): Promise<AuthzAnswer> {
    const question = { export: request.export, source: request.source, self: options.self };
    const head = await connection.ask(encodeAuthz(address, question), leftMs());
    if (isWordOfOwner(head)) heartbeat.heard();
    return parseAuthzAnswer(peer, head);
  }

  async function openOver(connection: GatewayConnection, asked: Asked): Promise<TunnelAttempt> {
    const answer = await authorize(connection, asked);
    if (!answer.ok) {
      kept.keep(connection);
      return answer;
    }
    const head = await connection.askForTunnel(encodeTunnelRequest(peer, answer.token), asked.leftMs());
    if (head.status !== 200) return { ok: false, ...refusalOfTunnel(peer, head.status) };
    const upstream = makeTunnelStream({ socket: connection.socket, peer, now, memory });
    onTunnel(connection.socket, upstream);
    tunnels.add(upstream);
    upstream.once('close', () => {
      tunnels.delete(upstream);
      stalled?.ended();
    });
    return { ok: true, upstream, peerSide: makePeerSide(peer, upstream) };
  }

  const link: ClusterLinkLink = {
    form: 'clusterlink',
    peer,
    certificate: options.first.certificate,
    hello: { instance: address, version: CLUSTERLINK_VERSION, features: [] },
    get draining() {
      return isRetired || closing.signal.aborted;
    },
    get full() {
      return !memory.hasRoom;
    },
    get rttMs() {
      return heartbeat.rttMs;
    },
    get labels() {
      return labels;
    },
    get silentMs() {
      return heartbeat.silentMs;
    },
    async open(request, timeoutMs) {
      if (!memory.hasRoom) {
        const message = `The connections with ${peer} hold as much memory as they may.`;
        return { ok: false, reason: REASONS.Overloaded, message };
      }
      return opener.run(timeoutMs, (connection, leftMs) => openOver(connection, { request, leftMs }));
    },
    decide: (request, timeoutMs) =>
      opener.run(timeoutMs, async (connection, leftMs) => {
        const answer = await authorize(connection, { request, leftMs });
        kept.keep(connection);
        return answer.ok ? { ok: true } : answer;
      }),
    retire() {
      isRetired = true;
      setImmediate(() => end(undefined));
    },
    close: () => end(undefined),
    destroy: (error) => end(error),
  };
  return link;
}

/** A gateway that has lost its control plane answers 500, Envoy's 403: whether it lives is for heartbeats to say then. */
function isWordOfOwner({ status }: ResponseHead): boolean {
  return status === 200 || status === 404;
}
