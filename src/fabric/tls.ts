/**
 * TLS between peers: 1.3 only, both certificates, and a verdict of our own that names the exact reason.
 *
 * The server lets a handshake with a bad certificate finish (`rejectUnauthorized: false`), so that the refusal is counted
 * under its reason instead of vanishing in an alert. So nothing may be read from or written to a socket before
 * {@link verifyPeerSocket} said yes, and it says yes only where OpenSSL did.
 */
import { constants, type X509Certificate } from 'node:crypto';
import type { ConnectionOptions, PeerCertificate, TlsOptions, TLSSocket } from 'node:tls';
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import { peerNameOf } from './identity.ts';
import type { PeerIdentity } from './peer-identity.ts';
import { PeerNameError, reasonOfVerifyCode } from './tls-reasons.ts';
import type { Trust } from './trust.ts';

export { reasonOfTlsError } from './tls-reasons.ts';

/** Our protocol between peers (shapes.md §3), as ALPN names it. */
export const ALPN_SESSION = 'clusterlink-mcs/1';
/** What ClusterLink speaks; it offers nothing, other HTTP clients may. */
const ALPN_HTTP = 'http/1.1';
const OUR_ALPN_PREFIX = 'clusterlink-mcs/';

export type PeerVerdict =
  | { readonly ok: true; readonly peer: string }
  | {
      readonly ok: false;
      readonly reason: Reason;
      readonly message: string;
      /** Whose certificate it is, where a root that is believed here has signed it, and not for this name or not any more. */
      readonly peer?: string;
    };

/**
 * For `tls.createServer`; the handshake's deadline is the listener's to set.
 *
 * @param caPem - all roots that are believed here ({@link Trust}); absent: those of the fabric.
 */
export function serverTlsOptions(
  identity: PeerIdentity,
  { caPem = identity.caPem }: { readonly caPem?: string } = {},
): TlsOptions {
  return {
    ...commonOptions(identity, caPem),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNCallback: chooseProtocol,
  };
}

/**
 * For `tls.connect`: SNI is the peer's name, whatever address is dialled, and the certificate must be that peer's. A
 * certificate that is not fails the connection (`error` event; {@link reasonOfTlsError}) before anything is sent.
 *
 * @param caPem - the roots that vouch for that peer ({@link Trust}); absent: those of the fabric.
 */
export function clientTlsOptions(
  identity: PeerIdentity,
  { peer, caPem = identity.caPem }: { readonly peer: string; readonly caPem?: string },
): ConnectionOptions {
  return {
    ...commonOptions(identity, caPem),
    servername: peer,
    rejectUnauthorized: true,
    ALPNProtocols: [ALPN_SESSION],
    checkServerIdentity: (_host, certificate) => checkPeerName(certificate, peer),
  };
}

function commonOptions(identity: PeerIdentity, caPem: string) {
  // Node takes an empty text for no text, and then believes whom browsers believe.
  if (caPem === '') throw new AppError('ERR_INTERNAL', 'TLS: there is no root to believe');
  return {
    cert: identity.certPem,
    key: identity.keyPem,
    ca: caPem,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    // A resumed session shows no certificate again: every connection of ours proves itself anew.
    secureOptions: constants.SSL_OP_NO_TICKET,
  } as const satisfies TlsOptions & ConnectionOptions;
}

/**
 * Ours if offered, else HTTP/1.1, else what the caller likes best: ClusterLink's gateways ignore ALPN, so an offer of
 * something foreign must not end in the alert that RFC 7301 §3.2 has for it; {@link verifyPeerSocket} refuses it by name.
 * Only a caller that offers nothing but other versions of our protocol gets the alert: it must not believe we speak them.
 */
function chooseProtocol({ protocols }: { readonly protocols: readonly string[] }): string | undefined {
  return (
    [ALPN_SESSION, ALPN_HTTP].find((known) => protocols.includes(known)) ??
    protocols.find((offered) => !offered.startsWith(OUR_ALPN_PREFIX))
  );
}

/** The name, or what is wrong with the certificate. */
function readPeerName(certificate: PeerCertificate | X509Certificate): { peer: string } | { problem: string } {
  try {
    return { peer: peerNameOf(certificate) };
  } catch (error) {
    return { problem: error instanceof AppError ? error.message : 'the certificate is unreadable' };
  }
}

function checkPeerName(certificate: PeerCertificate, expected: string): PeerNameError | undefined {
  const read = readPeerName(certificate);
  if ('problem' in read) return new PeerNameError(`peer ${expected}: ${read.problem}`);
  return read.peer === expected ? undefined : new PeerNameError(mismatchText(expected, read.peer));
}

function mismatchText(expected: string, found: string): string {
  return `peer ${expected}: the certificate is that of peer ${found}`;
}

/**
 * Who is at the other end of a socket whose handshake is done (`secureConnection` or `secureConnect`), or why it is refused.
 * Fails closed: whatever is not positively good is refused. Destroying a refused socket is the caller's.
 *
 * @param trust - in force now, which may be another one than when the handshake began.
 * @param expected - the peer that was dialled.
 */
export function verifyPeerSocket(
  socket: TLSSocket,
  { trust, expected }: { readonly trust: Trust; readonly expected?: string | undefined },
): PeerVerdict {
  if (socket.alpnProtocol !== ALPN_SESSION) {
    return refuse(REASONS.ProtocolMismatch, `the other side does not speak ${ALPN_SESSION}`);
  }
  if (socket.getProtocol() !== 'TLSv1.3' || socket.isSessionReused()) {
    return refuse(REASONS.ProtocolMismatch, 'not a full TLS 1.3 handshake');
  }
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return refuse(REASONS.Malformed, 'the other side has shown no certificate');
  // Not only false: a socket that was never judged has no verdict either.
  if (socket.authorized !== true) {
    const code = codeOfAuthorization(socket);
    return refuse(reasonOfVerifyCode(code), `the certificate does not verify (${code})`);
  }
  const read = readPeerName(certificate);
  if ('problem' in read) return refuse(REASONS.PeerNameMismatch, read.problem);
  if (expected !== undefined && read.peer !== expected) {
    return refuse(REASONS.PeerNameMismatch, mismatchText(expected, read.peer));
  }
  const why = trust.judge({ peer: read.peer, certificate, nowMs: Date.now() });
  return why === undefined ? { ok: true, peer: read.peer } : { ok: false, ...why, peer: read.peer };
}

/** Typed as an Error, but Node gives the code's text (lib/_tls_wrap.js, `onServerSocketSecure`). */
function codeOfAuthorization(socket: TLSSocket): string {
  const error: unknown = socket.authorizationError;
  if (typeof error === 'string') return error;
  return error instanceof Error && 'code' in error ? String(error.code) : 'UNSPECIFIED';
}

function refuse(reason: Reason, message: string): PeerVerdict {
  return { ok: false, reason, message };
}
