/** From a connection to a session in the table of peers, on both sides, or to a link in ClusterLink's form where we dial; whoever is turned away leaves a reason. */
import { randomUUID, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import type { PeerIdentity } from '../fabric/files.ts';
import { reasonOfTlsError, type WireForm } from '../fabric/tls.ts';
import { formatHostPort, type HostPort } from '../runtime/host-port.ts';
import { DistrustError, type Distrust } from '../fabric/distrust.ts';
import type { Trust } from '../fabric/trust.ts';
import type { ClusterLinkLinks } from './clusterlink/links.ts';
import { makeTickets } from './clusterlink/tickets.ts';
import type { Connector } from './gateway-connector.ts';
import { describeCaller } from './connection-ends.ts';
import { dialPeer, type DialPeerResult } from './handshake.ts';
import { SESSIONS_ASSURED_EACH_WAY, SESSIONS_PER_PEER_MAX, STREAMS_PER_SESSION_MAX } from './limits.ts';
import type { DialOutcome } from './dialler.ts';
import type { PeerBounds } from './peer-bounds.ts';
import type { Peers, PeersOptions } from './peers.ts';
import type { PeerLink } from './link.ts';
import { establishSession, type PeerSession } from './session.ts';
import { WINDOW_INITIAL_BYTES } from './yamux/limits.ts';
import type { YamuxStream } from './yamux/stream.ts';

export interface AdmissionOptions {
  /** The name of this peer. */
  readonly self: string;
  readonly epoch: string;
  readonly version: string;
  /** Which of the processes of this peer it is; absent: a random one. */
  readonly instance?: string | undefined;
  /** What the hello says that this gateway can, or is. */
  readonly features: readonly string[];
  readonly identity: () => PeerIdentity;
  /** In force now. */
  readonly trust: () => Trust;
  readonly connector: Connector;
  readonly peers: () => Peers;
  readonly bounds: PeerBounds;
  /** For peers that speak ClusterLink's form; absent: none is dialled that does. */
  readonly links?: ClusterLinkLinks | undefined;
  isDraining(): boolean;
  onStream(session: PeerSession, stream: YamuxStream): void;
  onRefused(reason: Reason, from: string): void;
  /** A session takes no new streams from now on. */
  onRetired(session: PeerLink): void;
}

export interface Admission {
  readonly dial: PeersOptions['dial'];
  /** A caller whose certificate names `peer`. Never rejects. */
  accept(peer: string, socket: TLSSocket): Promise<void>;
  /**
   * Ends sessions whose certificate is not believed any more: a root was taken out or bound to another name, the certificate was
   * revoked, or it has expired. With them end the tunnels in them.
   */
  endUntrusted(): void;
  /**
   * This peer has another certificate, and sessions show the old one to the other side, which ends them when it expires. Those
   * that were dialled here are replaced; those that were accepted are retired, and their peers dial anew. Streams in them go on.
   * To be called again now and then: there may have been too many sessions with long streams, or one was just being made.
   */
  renewSessions(): void;
}

export function makeAdmission(options: AdmissionOptions): Admission {
  const {
    self,
    epoch,
    version,
    features,
    identity,
    trust,
    connector,
    peers,
    bounds,
    links,
    isDraining,
    onStream,
    onRefused,
    onRetired,
  } = options;
  const { instance = randomUUID() } = options;
  const forms: readonly WireForm[] = links === undefined ? ['session'] : ['session', 'clusterlink'];
  /** Callers of each peer that have not greeted yet. */
  const greeting = new Map<string, number>();
  const accepted = new WeakSet<PeerLink>();
  /** The certificate of this peer that each shows: it stays with its connection. SHA-256. */
  const shown = new WeakMap<PeerLink, string | undefined>();
  /** Dialled ones whose successor was asked for. */
  const replaced = new WeakSet<PeerLink>();
  let own: { readonly certPem: string; readonly fingerprint: string } | undefined;

  /** Whether it shows another certificate than the one that is in force: that may have come between its handshake and its hello. */
  function isOutdated(session: PeerLink): boolean {
    const { certPem } = identity();
    if (own?.certPem !== certPem) own = { certPem, fingerprint: new X509Certificate(certPem).fingerprint256 };
    return shown.get(session) !== own.fingerprint;
  }

  function distrustOf({ peer, certificate }: Pick<PeerLink, 'peer' | 'certificate'>): Distrust | undefined {
    if (certificate !== undefined) return trust().judge({ peer, certificate, nowMs: Date.now() });
    return { reason: REASONS.PeerRootMismatch, message: `peer ${peer}: it has shown no certificate` };
  }

  async function greet(role: 'dialler' | 'acceptor', peer: string, socket: TLSSocket): Promise<DialOutcome> {
    const hello = {
      peer: self,
      epoch,
      instance,
      version,
      features,
      streams: STREAMS_PER_SESSION_MAX,
      window: WINDOW_INITIAL_BYTES,
    };
    try {
      const session = await establishSession({
        socket,
        role,
        peer,
        hello,
        bound: bounds.of(peer),
        onStream,
        onDraining: (owner) => peers().changed(owner, undefined),
        onClose: (owner, error) => peers().changed(owner, { error }),
      });
      shown.set(session, socket.getX509Certificate()?.fingerprint256);
      const why = distrustOf(session);
      if (why === undefined) return { ok: true, session };
      // Roots or revocation lists were replaced since its handshake.
      session.destroy(new DistrustError(why));
      return { ok: false, ...why };
    } catch (error) {
      const { code, message } = error as AppError;
      return { ok: false, reason: code === 'ERR_MALFORMED' ? REASONS.Malformed : REASONS.HandshakeTimeout, message };
    }
  }

  /** Tickets that none of its connections has brought yet: the first one proves itself, and those after it may resume that. */
  function makeWay(peer: string, gateway: HostPort): (signal: AbortSignal) => Promise<DialPeerResult> {
    const tickets = makeTickets({ now: () => performance.now() });
    return (signal) =>
      dialPeer({ peer, gateway, identity: identity(), trust, connect: connector.connect, forms, tickets, signal });
  }

  /** There is nothing to greet with in ClusterLink's form: its first heartbeat is the answer. */
  async function makeLink(to: {
    readonly peer: string;
    readonly gateway: HostPort;
    readonly first: Extract<DialPeerResult, { ok: true }>;
    dial(signal: AbortSignal): Promise<DialPeerResult>;
  }): Promise<DialOutcome> {
    const { peer, gateway, first, dial } = to;
    const address = formatHostPort(gateway);
    const ownCertificate = first.socket.getX509Certificate()?.fingerprint256;
    if (links === undefined)
      return { ok: false, reason: REASONS.ProtocolMismatch, message: `${address}: no session is spoken` };
    try {
      const session = await links.establish({ first, peer, address, dial });
      shown.set(session, ownCertificate);
      const why = distrustOf(session);
      if (why === undefined) return { ok: true, session };
      session.destroy(new DistrustError(why));
      return { ok: false, ...why };
    } catch (error) {
      return { ok: false, reason: reasonOfLink(error), message: `${address}: ${(error as Error).message}` };
    }
  }

  async function accept(peer: string, socket: TLSSocket): Promise<void> {
    const from = describeCaller(socket, peer);
    const count = greeting.get(peer) ?? 0;
    const refusal = whyNot(peer) ?? (count >= SESSIONS_PER_PEER_MAX ? REASONS.Overloaded : undefined);
    if (refusal !== undefined) {
      socket.destroy();
      return onRefused(refusal, from);
    }
    greeting.set(peer, count + 1);
    const greeted = await greet('acceptor', peer, socket);
    const left = (greeting.get(peer) ?? 1) - 1;
    if (left > 0) greeting.set(peer, left);
    else greeting.delete(peer);
    if (!greeted.ok) return onRefused(greeted.reason, from);
    const late = whyNot(peer);
    accepted.add(greeted.session);
    if (late === undefined && peers().add(greeted.session)) return retireOutdated();
    greeted.session.destroy(new AppError('ERR_BOUND_EXCEEDED', `peer ${peer}: no further session is taken`));
    onRefused(late ?? REASONS.Overloaded, from);
  }

  /** A retired one lives as long as its streams, and counts: there must be room for its successor, or the peer would have none. */
  function retireOutdated(): void {
    if (isDraining()) return;
    const present = peers().links();
    const outdated = present.filter((session) => !session.draining && isOutdated(session));
    const dialled = outdated.filter((session) => !accepted.has(session) && !replaced.has(session));
    for (const session of dialled) replaced.add(session);
    if (dialled.length > 0) peers().replace((session) => dialled.includes(session));
    for (const session of outdated.filter((one) => accepted.has(one))) {
      const count = present.filter(({ peer }) => peer === session.peer).length;
      if (count > SESSIONS_PER_PEER_MAX - 2 * SESSIONS_ASSURED_EACH_WAY) continue;
      session.retire();
      onRetired(session);
    }
  }

  /** Asked before the hellos and after them. */
  function whyNot(peer: string): Reason | undefined {
    if (!peers().isKnown(peer)) return REASONS.PeerUnknown;
    return isDraining() ? REASONS.Drained : undefined;
  }

  return {
    async dial(peer, gateway, signal) {
      if (isDraining()) return { ok: false, reason: REASONS.Drained, message: 'This gateway is shutting down.' };
      const dialOn = makeWay(peer.name, gateway);
      const dialled = await dialOn(signal);
      if (!dialled.ok) return dialled;
      const { socket, address } = dialled;
      const giveUp = (): void => void socket.destroy();
      if (signal.aborted) giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        const greeted = await (dialled.form === 'session'
          ? greet('dialler', peer.name, socket)
          : makeLink({ peer: peer.name, gateway, first: dialled, dial: dialOn }));
        return greeted.ok && address !== undefined ? { ...greeted, address } : greeted;
      } finally {
        signal.removeEventListener('abort', giveUp);
      }
    },
    accept,
    endUntrusted() {
      for (const session of peers().links()) {
        const why = distrustOf(session);
        if (why !== undefined) session.destroy(new DistrustError(why));
      }
      links?.endUntrusted(distrustOf);
    },
    renewSessions: retireOutdated,
  };
}

/** What TLS 1.3 has against our certificate comes with the first byte that is read (reference §3.1). */
function reasonOfLink(error: unknown): Reason {
  if (!(error instanceof AppError)) return error instanceof Error ? reasonOfTlsError(error) : REASONS.PeerUnreachable;
  if (error.code === 'ERR_TIMEOUT') return REASONS.HandshakeTimeout;
  return error.code === 'ERR_MALFORMED' ? REASONS.Malformed : REASONS.PeerUnreachable;
}
