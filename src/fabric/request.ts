/** Certificate requests: a peer's key is made where it is used and never leaves; only the request travels. */
import { createHash, createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { AppError } from '../api/errors.ts';
import { isLabel } from '../api/names.ts';
import { makeKeyPair, SIGNING, toKeyPem, toSigningKey, type KeyType, type SigningAlgorithm } from './keys.ts';
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from './x509.ts';

export interface CertificateRequest {
  /** PKCS#8, or PKCS#1 for RSA. */
  readonly keyPem: string;
  /** PKCS#10. */
  readonly csrPem: string;
}

/**
 * Makes a key, on P-256 unless told otherwise, and the request for a certificate whose one DNS SAN is the peer's name.
 *
 * @throws {AppError} `ERR_USAGE` when the name is not an RFC 1123 label.
 */
export async function createRequest({
  peer,
  keyType = 'ecdsa',
}: {
  readonly peer: string;
  readonly keyType?: KeyType;
}): Promise<CertificateRequest> {
  assertPeerName(peer);
  const keys = await makeKeyPair(keyType);
  return { keyPem: toKeyPem(keys.privateKey), csrPem: await requestOf({ peer, keys, algorithm: SIGNING[keyType] }) };
}

/**
 * Makes the request for another certificate for a key that is there.
 *
 * @param what - names the key in errors.
 * @returns PKCS#10.
 * @throws {AppError} `ERR_USAGE` as above; `ERR_CERTIFICATE` when the key is none that peers may have.
 */
export async function createRequestFor(options: {
  readonly peer: string;
  readonly key: KeyObject;
  readonly what: string;
}): Promise<string> {
  const { peer, key, what } = options;
  assertPeerName(peer);
  const { key: privateKey, algorithm, imported } = toSigningKey(key, what);
  const publicKey = createPublicKey(key).toCryptoKey(imported, true, ['verify']);
  return await requestOf({ peer, keys: { privateKey, publicKey }, algorithm });
}

async function requestOf(options: {
  readonly peer: string;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly algorithm: SigningAlgorithm;
}): Promise<string> {
  const { peer, keys, algorithm } = options;
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [peer] }],
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: peer }])],
  });
  return `${request.toString('pem')}\n`;
}

/** SHA-256 of a public key, by which the two ends of the CSR flow can tell over another way that it is the same. */
export function fingerprintOf(publicKey: KeyObject): string {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}

/** @throws {AppError} `ERR_USAGE`. */
export function assertPeerName(peer: string): void {
  if (isLabel(peer)) return;
  throw new AppError('ERR_USAGE', `peer ${JSON.stringify(peer)}: not an RFC 1123 label`, {
    fix: 'use at most 63 of a-z, 0-9 and "-", with a letter or digit at both ends',
  });
}
