/** Certificate requests: a peer's key is made where it is used and never leaves; only the request travels. */
import { AppError } from '../api/errors.ts';
import { isLabel } from '../api/names.ts';
import { makeKeyPair, P256_SIGNING, toKeyPem } from './keys.ts';
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from './x509.ts';

export interface CertificateRequest {
  /** PKCS#8. */
  readonly keyPem: string;
  /** PKCS#10. */
  readonly csrPem: string;
}

/**
 * Makes a key on P-256 and the request for a certificate whose one DNS SAN is the peer's name.
 *
 * @throws {AppError} `ERR_USAGE` when the name is not an RFC 1123 label.
 */
export async function createRequest({ peer }: { readonly peer: string }): Promise<CertificateRequest> {
  assertPeerName(peer);
  const keys = await makeKeyPair();
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [peer] }],
    keys,
    signingAlgorithm: P256_SIGNING,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: peer }])],
  });
  return { keyPem: toKeyPem(keys.privateKey), csrPem: `${request.toString('pem')}\n` };
}

/** @throws {AppError} `ERR_USAGE`. */
export function assertPeerName(peer: string): void {
  if (isLabel(peer)) return;
  throw new AppError('ERR_USAGE', `peer ${JSON.stringify(peer)}: not an RFC 1123 label`, {
    fix: 'use at most 63 of a-z, 0-9 and "-", with a letter or digit at both ends',
  });
}
