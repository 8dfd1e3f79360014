/**
 * TLS sessions of one gateway that are resumed: where each client has a connection of its own, an RSA-4096 signature at either end
 * for each would be most of what it costs. What a resumed session does not show, the certificate, is kept from the handshake in
 * which the gateway proved that it is its own, and judged again at every use (ADR 0018).
 */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { PeerIdentity } from '../../fabric/files.ts';
import { RESUMED_MS_MAX } from './limits.ts';

/** What a handshake has proved, to whom, and by which roots. */
export interface Proof {
  /** With the chain that came with it. */
  readonly certificate: X509Certificate;
  /** Monotonic: when a full handshake has shown it. */
  readonly provenMs: number;
  readonly identity: PeerIdentity;
  readonly caPem: string;
}

export interface Ticket {
  /** As OpenSSL writes a session, its keys among it: never to a log or a disk. */
  readonly session: Buffer;
  readonly proof: Proof;
}

/** What is in force for the next connection. */
export interface TicketUse extends Pick<Proof, 'identity' | 'caPem'> {
  /** Whether the certificate still proves the peer's name. */
  isTrusted(certificate: X509Certificate): boolean;
}

export interface Tickets {
  /** Undefined: the next connection has to prove itself. */
  find(use: TicketUse): Ticket | undefined;
  /** Keeps what the gateway sends over a connection whose end has proved so much, in this handshake or in one that it resumes. */
  collect(socket: TLSSocket, proof: Proof): void;
  /** The next connection proves itself. */
  drop(): void;
}

export function makeTickets({ now }: { readonly now: () => number }): Tickets {
  let last: Ticket | undefined;

  function isUsable({ proof }: Ticket, { identity, caPem, isTrusted }: TicketUse): boolean {
    if (now() - proof.provenMs > RESUMED_MS_MAX) return false;
    return proof.identity === identity && proof.caPem === caPem && isTrusted(proof.certificate);
  }

  return {
    find(use) {
      if (last !== undefined && !isUsable(last, use)) last = undefined;
      return last;
    },
    collect(socket, proof) {
      // A gateway may find out only now that it will have no more of us: its first word is an alert then, else a ticket.
      const onError = (): void => void (last = undefined);
      socket.once('error', onError);
      socket.on('session', (session: Buffer) => {
        socket.off('error', onError);
        // Those of connections that took longer must not take the place of one that was proved later.
        if (last === undefined || last.proof.provenMs <= proof.provenMs) last = { session, proof };
      });
    },
    drop: () => void (last = undefined),
  };
}
