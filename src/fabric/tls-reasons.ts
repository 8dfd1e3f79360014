/** From what OpenSSL and Node say about a failed handshake to the reason that is counted and shown. */
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import { DistrustError } from './distrust.ts';

/** The certificate is good, but another peer's, or no peer's at all. */
export class PeerNameError extends AppError {
  constructor(message: string) {
    super('ERR_CERTIFICATE', message, {
      fix: 'correct the gateways of that Peer object, or the certificate over there',
    });
  }
}

/** OpenSSL's verdicts on a certificate chain, as Node names them (X509_V_ERR_*), that are about the CA. */
const CHAIN_CODES: ReadonlySet<string> = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
const VALIDITY_CODES: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERROR_IN_CERT_NOT_AFTER_FIELD',
  'ERROR_IN_CERT_NOT_BEFORE_FIELD',
]);

/** A chain that did not verify. Anything unknown counts as a root that does not vouch for the certificate. */
export function reasonOfVerifyCode(code: string): Reason {
  return VALIDITY_CODES.has(code) ? REASONS.CertExpired : REASONS.PeerRootMismatch;
}

/** Patterns over `error.code`, first match wins. Alerts are the other side's verdict on us (RFC 8446 §6.2). */
const PATTERNS: readonly (readonly [RegExp, Reason])[] = [
  [/ALERT_CERTIFICATE_EXPIRED/, REASONS.CertExpired],
  [
    /ALERT_(?:UNKNOWN_CA|(?:BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(?:UNKNOWN|REVOKED|REQUIRED)|DECRYPT_ERROR|ACCESS_DENIED)/,
    REASONS.PeerRootMismatch,
  ],
  [/ALERT_UNRECOGNIZED_NAME|^ERR_TLS_CERT_ALTNAME_INVALID$|^HOSTNAME_MISMATCH$/, REASONS.PeerNameMismatch],
  [
    /ALERT_(?:PROTOCOL_VERSION|NO_APPLICATION_PROTOCOL|HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY)/,
    REASONS.ProtocolMismatch,
  ],
  [
    /^ERR_SSL_(?:UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|NO_APPLICATION_PROTOCOL|NO_SHARED_CIPHER|NO_SUITABLE_\w+|HTTP_REQUEST|HTTPS_PROXY_REQUEST)$/,
    REASONS.ProtocolMismatch,
  ],
  [/^ERR_TLS_HANDSHAKE_TIMEOUT$/, REASONS.HandshakeTimeout],
  [/^(?:ECONNRESET|EPIPE|ECONNABORTED|ERR_STREAM_PREMATURE_CLOSE)$/, REASONS.Aborted],
  [
    /^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|ETIMEDOUT|ENOTFOUND|EAI_\w+|EADDRNOTAVAIL)$/,
    REASONS.PeerUnreachable,
  ],
];

/**
 * Why a handshake came to nothing, from the error of `tlsClientError` (server) or `error` (client).
 *
 * `ECONNRESET` is `ABORTED`: the other side left without a word. A dialler that wants to call this unreachable knows that it
 * dialled; a listener must not, since scanners and health checks leave that way.
 */
export function reasonOfTlsError(error: unknown): Reason {
  if (error instanceof DistrustError) return error.reason;
  if (error instanceof PeerNameError) return REASONS.PeerNameMismatch;
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError'))
    return REASONS.HandshakeTimeout;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (CHAIN_CODES.has(code) || VALIDITY_CODES.has(code)) return reasonOfVerifyCode(code);
  // What is left is bytes that are no TLS: a wrong version number, an impossible record, a broken signature.
  return PATTERNS.find(([pattern]) => pattern.test(code))?.[1] ?? REASONS.Malformed;
}
