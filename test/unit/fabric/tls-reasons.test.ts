import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import { PeerNameError, reasonOfTlsError, reasonOfVerifyCode } from '#src/fabric/tls-reasons.ts';

const withCode = (code: string): Error => Object.assign(new Error(code), { code });

describe('reasonOfTlsError', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['CERT_HAS_EXPIRED', 'CERT_EXPIRED'],
    ['CERT_NOT_YET_VALID', 'CERT_EXPIRED'],
    ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED', 'CERT_EXPIRED'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'PEER_ROOT_MISMATCH'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'PEER_ROOT_MISMATCH'],
    ['CERT_SIGNATURE_FAILURE', 'PEER_ROOT_MISMATCH'],
    ['INVALID_PURPOSE', 'PEER_ROOT_MISMATCH'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'PEER_ROOT_MISMATCH'],
    ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'PEER_ROOT_MISMATCH'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'PEER_ROOT_MISMATCH'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'PEER_NAME_MISMATCH'],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'PROTOCOL_MISMATCH'],
    ['ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'PROTOCOL_MISMATCH'],
    ['ERR_SSL_NO_APPLICATION_PROTOCOL', 'PROTOCOL_MISMATCH'],
    ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'PROTOCOL_MISMATCH'],
    ['ERR_SSL_HTTP_REQUEST', 'PROTOCOL_MISMATCH'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'MALFORMED'],
    ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'MALFORMED'],
    ['ERR_TLS_HANDSHAKE_TIMEOUT', 'HANDSHAKE_TIMEOUT'],
    ['ECONNRESET', 'ABORTED'],
    ['ECONNREFUSED', 'PEER_UNREACHABLE'],
    ['ETIMEDOUT', 'PEER_UNREACHABLE'],
    ['ENOTFOUND', 'PEER_UNREACHABLE'],
    ['SOMETHING_NEW', 'MALFORMED'],
  ];
  for (const [code, reason] of rows) {
    it(`${code} → ${reason}`, () => assert.equal(reasonOfTlsError(withCode(code)), reason));
  }
  it('our own name check → PEER_NAME_MISMATCH', () => {
    assert.equal(reasonOfTlsError(new PeerNameError('peer east: no')), 'PEER_NAME_MISMATCH');
  });
  it('a deadline → HANDSHAKE_TIMEOUT', () => {
    assert.equal(reasonOfTlsError(new DOMException('late', 'TimeoutError')), 'HANDSHAKE_TIMEOUT');
  });
  it('what is no error → MALFORMED', () => {
    for (const value of [undefined, null, 'x', {}, new AppError('ERR_TIMEOUT', 'x')]) {
      assert.equal(reasonOfTlsError(value), 'MALFORMED');
    }
  });
});

describe('reasonOfVerifyCode', () => {
  it('a code that nobody knows → PEER_ROOT_MISMATCH: refused all the same', () => {
    assert.equal(reasonOfVerifyCode('NEW_CODE'), 'PEER_ROOT_MISMATCH');
  });
});
