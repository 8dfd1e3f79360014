/**
 * TLS between peers: 1.3, both certificates, and a verdict of our own that names the exact reason. Where a server serves
 * ClusterLink's form too, callers that speak that form may use 1.2: Envoy can do no more as a client.
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

/** What is spoken over a connection: sessions of ours, or ClusterLink's HTTP/1.1. */
export type WireForm = 'session' | 'clusterlink';

const SESSIONS_ONLY: readonly WireForm[] = ['session'];

/** TLS 1.2 with nothing but ephemeral keys and authenticated encryption; OpenSSL leaves 1.3 out unless its suites are named too. */
const SUITES = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
].join(':');

export type PeerVerdict =
  | { readonly ok: true; readonly peer: string; readonly form: WireForm; readonly certificate: X509Certificate }
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
 * @param forms - what is served ({@link verifyPeerSocket}); absent: sessions.
 */
export function serverTlsOptions(
  identity: PeerIdentity,
  {
    caPem = identity.caPem,
    forms = SESSIONS_ONLY,
  }: { readonly caPem?: string; readonly forms?: readonly WireForm[] } = {},
): TlsOptions {
  const common = commonOptions(identity, caPem);
  const older = {
    minVersion: 'TLSv1.2',
    ciphers: SUITES,
    // A second handshake in a connection would be judged by nobody.
    secureOptions: common.secureOptions | constants.SSL_OP_NO_RENEGOTIATION,
  } as const satisfies TlsOptions;
  return {
    ...common,
    ...(forms.includes('clusterlink') ? older : {}),
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
    // A resumed session shows no certificate again: who calls proves itself anew each time.
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
 * @param forms - that are spoken with it; absent: sessions alone.
 * @param resumed - the certificate of the handshake whose TLS session was offered, which this function has judged then; it is
 *   judged again. Absent: only a full handshake will do. Sessions of ours never resume one.
 */
export function verifyPeerSocket(
  socket: TLSSocket,
  {
    trust,
    expected,
    forms = SESSIONS_ONLY,
    resumed,
  }: {
    readonly trust: Trust;
    readonly expected?: string | undefined;
    readonly forms?: readonly WireForm[] | undefined;
    readonly resumed?: X509Certificate | undefined;
  },
): PeerVerdict {
  const form = formOf(socket);
  if (form === undefined || !forms.includes(form)) {
    return refuse(REASONS.ProtocolMismatch, `the other side does not speak ${ALPN_SESSION}`);
  }
  if (form === 'session' && socket.getProtocol() !== 'TLSv1.3') {
    return refuse(REASONS.ProtocolMismatch, 'a session needs TLS 1.3');
  }
  // A resumed session shows no certificate again.
  const isReused = socket.isSessionReused();
  if (isReused && (resumed === undefined || form === 'session')) {
    return refuse(REASONS.ProtocolMismatch, 'not a full handshake');
  }
  const certificate = isReused ? resumed : socket.getPeerX509Certificate();
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
  return why === undefined ? { ok: true, peer: read.peer, form, certificate } : { ok: false, ...why, peer: read.peer };
}

/** ClusterLink's gateways neither offer nor choose a protocol (reference §3.1); HTTP clients and proxies may name theirs. */
function formOf({ alpnProtocol }: TLSSocket): WireForm | undefined {
  if (alpnProtocol === ALPN_SESSION) return 'session';
  return alpnProtocol === false || alpnProtocol === null || alpnProtocol === ALPN_HTTP ? 'clusterlink' : undefined;
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
