/** From a connection to a session in the table of peers, on both sides; whoever is turned away leaves a reason. */
import { randomUUID } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import type { PeerIdentity } from '../fabric/files.ts';
import { makeTrust } from '../fabric/trust.ts';
import { dialPeer } from './handshake.ts';
import { SESSIONS_PER_PEER_MAX, STREAMS_PER_SESSION_MAX } from './limits.ts';
import type { DialOutcome } from './dialler.ts';
import type { Peers, PeersOptions } from './peers.ts';
import { establishSession, type PeerSession } from './session.ts';
import type { YamuxStream } from './yamux/stream.ts';

export interface AdmissionOptions {
  /** The name of this peer. */
  readonly self: string;
  readonly epoch: string;
  readonly version: string;
  /** What the hello says that this gateway can, or is. */
  readonly features: readonly string[];
  readonly identity: () => PeerIdentity;
  readonly peers: () => Peers;
  isDraining(): boolean;
  onStream(session: PeerSession, stream: YamuxStream): void;
  onRefused(reason: Reason, from: string): void;
}

export interface Admission {
  readonly dial: PeersOptions['dial'];
  /** A caller whose certificate names `peer`. Never rejects. */
  accept(peer: string, socket: TLSSocket): Promise<void>;
  /** Ends sessions whose certificate no root of the present identity vouches for: roots that were there before are gone. */
  endUntrusted(): void;
}

export function makeAdmission(options: AdmissionOptions): Admission {
  const { self, epoch, version, features, identity, peers, isDraining, onStream, onRefused } = options;
  const instance = randomUUID();
  /** Callers of each peer that have not greeted yet. */
  const greeting = new Map<string, number>();
  let trusted = { by: identity(), trust: makeTrust(identity().caPem) };

  function isTrusted({ certificate }: PeerSession): boolean {
    const by = identity();
    if (trusted.by !== by) trusted = { by, trust: makeTrust(by.caPem) };
    return certificate !== undefined && trusted.trust(certificate);
  }

  async function greet(role: 'dialler' | 'acceptor', peer: string, socket: TLSSocket): Promise<DialOutcome> {
    const hello = { peer: self, epoch, instance, version, features, streams: STREAMS_PER_SESSION_MAX };
    try {
      const session = await establishSession({
        socket,
        role,
        peer,
        hello,
        onStream,
        onDraining: (owner) => peers().changed(owner, undefined),
        onClose: (owner, error) => peers().changed(owner, { error }),
      });
      if (isTrusted(session)) return { ok: true, session };
      // The roots were replaced since its handshake.
      const error = untrustedError(peer);
      session.destroy(error);
      return { ok: false, reason: REASONS.PeerRootMismatch, message: error.message };
    } catch (error) {
      const { code, message } = error as AppError;
      return { ok: false, reason: code === 'ERR_MALFORMED' ? REASONS.Malformed : REASONS.HandshakeTimeout, message };
    }
  }

  async function accept(peer: string, socket: TLSSocket): Promise<void> {
    const from = `${peer} at ${socket.remoteAddress ?? 'unknown'}`;
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
    if (late === undefined && peers().add(greeted.session)) return;
    greeted.session.destroy(new AppError('ERR_BOUND_EXCEEDED', `peer ${peer}: no further session is taken`));
    onRefused(late ?? REASONS.Overloaded, from);
  }

  /** Asked before the hellos and after them. */
  function whyNot(peer: string): Reason | undefined {
    if (!peers().isKnown(peer)) return REASONS.PeerUnknown;
    return isDraining() ? REASONS.Drained : undefined;
  }

  return {
    async dial(peer, gateway, signal) {
      if (isDraining()) return { ok: false, reason: REASONS.Drained, message: 'This gateway is shutting down.' };
      const dialled = await dialPeer({ peer: peer.name, gateway, identity: identity(), signal });
      if (!dialled.ok) return dialled;
      const { socket } = dialled;
      const giveUp = (): void => void socket.destroy();
      if (signal.aborted) giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        return await greet('dialler', peer.name, socket);
      } finally {
        signal.removeEventListener('abort', giveUp);
      }
    },
    accept,
    endUntrusted() {
      for (const session of peers().sessions()) {
        if (!isTrusted(session)) session.destroy(untrustedError(session.peer));
      }
    },
  };
}

function untrustedError(peer: string): AppError {
  return new AppError(
    'ERR_CERTIFICATE',
    `peer ${peer}: the CA that signed its certificate is not in fabric.ca any more`,
    {
      fix: 'have its certificate renewed under a CA that is, or put its CA back',
    },
  );
}
