/** The fabric's certificate authority: the one root that its peers share by default. */
import { AppError } from '../api/errors.ts';
import { makeKeyPair, makeSerialNumber, SIGNING, toKeyPem, type KeyType } from './keys.ts';
import { AUTHORITY_DAYS, CLOCK_SKEW_MS } from './limits.ts';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from './x509.ts';

const DAY_MS = 86_400_000;
const FABRIC_NAME = /^[A-Za-z0-9][-A-Za-z0-9_.]{0,62}$/;

/** A fabric's name is a common name and a folder's name; ClusterLink's default, `default_fabric`, is one. */
export function isFabricName(text: string): boolean {
  return FABRIC_NAME.test(text);
}

export interface CertificateAndKey {
  readonly certPem: string;
  readonly keyPem: string;
}

/**
 * Makes a self-signed CA, on P-256 unless told otherwise, valid for {@link AUTHORITY_DAYS}. It signs peers and revocation lists, no other CA.
 *
 * @param now - when it is made; tests set it.
 * @throws {AppError} `ERR_USAGE` when the name is no fabric name.
 */
export async function createFabric({
  name,
  keyType = 'ecdsa',
  now = new Date(),
}: {
  readonly name: string;
  readonly keyType?: KeyType;
  readonly now?: Date;
}): Promise<CertificateAndKey> {
  if (!isFabricName(name)) {
    throw new AppError('ERR_USAGE', `fabric ${JSON.stringify(name)}: not a fabric name`, {
      fix: 'use at most 63 letters, digits, "-", "_" and ".", with a letter or digit first',
    });
  }
  const keys = await makeKeyPair(keyType);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    keys,
    serialNumber: makeSerialNumber(),
    notBefore: new Date(now.getTime() - CLOCK_SKEW_MS),
    notAfter: new Date(now.getTime() + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: SIGNING[keyType],
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certPem: `${certificate.toString('pem')}\n`, keyPem: toKeyPem(keys.privateKey) };
}
