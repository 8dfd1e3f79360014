/** Keys: made on P-256 or as RSA, read from every PEM form that fabrics use. */
import { createPrivateKey, KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { AppError } from '../api/errors.ts';
import { KEYS_MAX, RSA_BITS, RSA_BITS_MAX, RSA_BITS_MIN, SERIAL_BYTES } from './limits.ts';

/** What everybody uses; with an exponent of 1 anybody could sign (FIPS 186-5 §5.1 asks for more than 2^16). */
const RSA_EXPONENT_MIN = 65_537n;
/** The same number as WebCrypto wants it, big-endian. */
const RSA_EXPONENT = new Uint8Array([1, 0, 1]);

export const KEY_TYPES = ['ecdsa', 'rsa'] as const;
/** What a new key is: `rsa` where ClusterLink's CLI has to read it, which reads nothing else. */
export type KeyType = (typeof KEY_TYPES)[number];

/** What WebCrypto must be told to sign with a key. */
export interface SigningAlgorithm {
  readonly name: 'ECDSA' | 'RSASSA-PKCS1-v1_5';
  readonly hash: 'SHA-256' | 'SHA-384';
}

export interface SigningKey {
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: SigningAlgorithm;
  /** What WebCrypto must be told to take the public key too. */
  readonly imported: webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams;
}

export const P256_SIGNING: SigningAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };

/** How keys that are made here sign. */
export const SIGNING: Readonly<Record<KeyType, SigningAlgorithm>> = {
  ecdsa: P256_SIGNING,
  rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
};

/** A new key pair; on P-256: cheap handshakes, and accepted by Go, Envoy and OpenSSL alike (not so Ed25519). */
export async function makeKeyPair(type: KeyType = 'ecdsa'): Promise<webcrypto.CryptoKeyPair> {
  const algorithm: webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams =
    type === 'ecdsa'
      ? { name: 'ECDSA', namedCurve: 'P-256' }
      : { ...SIGNING.rsa, modulusLength: RSA_BITS, publicExponent: RSA_EXPONENT };
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

/** PEM of an extractable private key, as {@link toPem} has it. */
export function toKeyPem(key: webcrypto.CryptoKey): string {
  return toPem(KeyObject.from(key));
}

/** PKCS#1 for RSA, the one form that ClusterLink's CLI reads; else PKCS#8. */
export function toPem(key: KeyObject): string {
  return key.export({ type: typeOfKey(key) === 'rsa' ? 'pkcs1' : 'pkcs8', format: 'pem' }).toString();
}

/** The type of a key that was accepted: what its successor is, unless somebody says otherwise. */
export function typeOfKey({ asymmetricKeyType }: KeyObject): KeyType {
  return asymmetricKeyType === 'rsa' ? 'rsa' : 'ecdsa';
}

/**
 * Reads a private key: PKCS#8, SEC 1 (`EC PRIVATE KEY`), or PKCS#1 (`RSA PRIVATE KEY`), which is what ClusterLink writes.
 *
 * @param what - names the key in the error, for example its file.
 * @throws {AppError} `ERR_CERTIFICATE` when it is none of these, or encrypted.
 */
export function parsePrivateKey(pem: string, what: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new AppError('ERR_CERTIFICATE', `${what}: not an unencrypted private key in PEM`, {
      cause,
      fix: 'give a PKCS#8, EC or RSA private key in PEM form, without a passphrase',
    });
  }
}

const PEM_KEY = /-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----[\s\S]+?-----END \1PRIVATE KEY-----/g;

/**
 * Reads all private keys of a file: one, or while it is being replaced the old one and the new one.
 *
 * @throws {AppError} as {@link parsePrivateKey}; `ERR_BOUND_EXCEEDED` for more than {@link KEYS_MAX}.
 */
export function parsePrivateKeys(pem: string, what: string): KeyObject[] {
  const blocks = pem.match(PEM_KEY) ?? [pem];
  if (blocks.length > KEYS_MAX) {
    throw new AppError('ERR_BOUND_EXCEEDED', `${what}: ${blocks.length} private keys, more than ${KEYS_MAX}`, {
      fix: "leave the key of this peer's certificate in it",
    });
  }
  return blocks.map((block) => parsePrivateKey(block, what));
}

/**
 * The key as one that signs certificates.
 *
 * @throws {AppError} `ERR_CERTIFICATE` for a key that is neither P-256, P-384 nor RSA of at least {@link RSA_BITS_MIN} bits.
 */
export function toSigningKey(key: KeyObject, what: string): SigningKey {
  assertAcceptableKey(key, what);
  const isRsa = key.asymmetricKeyType === 'rsa';
  const curve = key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'P-384' : 'P-256';
  const algorithm: SigningAlgorithm = isRsa
    ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    : { name: 'ECDSA', hash: curve === 'P-384' ? 'SHA-384' : 'SHA-256' };
  const imported = isRsa ? algorithm : { name: algorithm.name, namedCurve: curve };
  return { key: key.toCryptoKey(imported, false, ['sign']), algorithm, imported };
}

/** Keys of peers and authorities alike: what every TLS stack in a fabric can use. @throws {AppError} `ERR_CERTIFICATE`. */
export function assertAcceptableKey(key: KeyObject, what: string): void {
  const { namedCurve = '', modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const isEc = key.asymmetricKeyType === 'ec' && ['prime256v1', 'secp384r1'].includes(namedCurve);
  const isSized = modulusLength >= RSA_BITS_MIN && modulusLength <= RSA_BITS_MAX;
  const isRsa = key.asymmetricKeyType === 'rsa' && isSized && publicExponent >= RSA_EXPONENT_MIN;
  if (isEc || isRsa) return;
  const accepted = `neither P-256, P-384 nor RSA of ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits with a public exponent of 65537`;
  throw new AppError('ERR_CERTIFICATE', `${what}: ${accepted}`, {
    fix: 'use an EC key on P-256, as "clusterlink-mcs create" makes it',
  });
}

/** A serial number nobody can guess (RFC 5280 §4.1.2.2): positive, and never with a leading zero octet that DER would drop. */
export function makeSerialNumber(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
