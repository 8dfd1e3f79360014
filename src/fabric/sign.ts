/** The authority's end of the CSR flow: from a request to the certificate of one peer. */
import { X509Certificate as NodeCertificate, type KeyObject } from 'node:crypto';
import { AppError } from '../api/errors.ts';
import { makeSerialNumber, parsePrivateKey, toSigningKey } from './keys.ts';
import { CLOCK_SKEW_MS, PEER_CERTIFICATE_DAYS, PEER_CERTIFICATE_DAYS_MAX } from './limits.ts';
import { parseRequest } from './parse-request.ts';
import {
  AuthorityKeyIdentifierExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from './x509.ts';

const DAY_MS = 86_400_000;

export interface SignOptions {
  readonly caCertPem: string;
  /** PKCS#8, SEC 1 or PKCS#1; P-256, P-384 or RSA (ClusterLink's authorities are RSA 4096). */
  readonly caKeyPem: string;
  readonly csrPem: string;
  /** Whole days from 1 to {@link PEER_CERTIFICATE_DAYS_MAX}; the certificate never outlives the CA. */
  readonly days?: number;
  /** When it is signed; tests set it. */
  readonly now?: Date;
}

/**
 * Signs a peer's request. Of the request only the key and the one DNS SAN are taken: what the certificate may be used for is
 * the authority's to say.
 *
 * @returns the leaf, PEM.
 * @throws {AppError} `ERR_CERTIFICATE` for a request or an authority that does not do; `ERR_USAGE` for a bad `days`.
 */
export async function signRequest(options: SignOptions): Promise<string> {
  const { caCertPem, caKeyPem, csrPem, days = PEER_CERTIFICATE_DAYS, now = new Date() } = options;
  if (!Number.isInteger(days) || days < 1 || days > PEER_CERTIFICATE_DAYS_MAX) {
    throw new AppError('ERR_USAGE', `days ${days}: not a whole number from 1 to ${PEER_CERTIFICATE_DAYS_MAX}`);
  }
  const { ca, caKey } = parseAuthority({ caCertPem, caKeyPem, now });
  const { peer, publicKey } = await parseRequest(csrPem);
  const { key, algorithm } = toSigningKey(caKey, 'the key of the fabric CA');
  const issuer = new X509Certificate(ca.raw);
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [peer] }],
    issuer: issuer.subjectName,
    publicKey,
    signingKey: key,
    signingAlgorithm: algorithm,
    serialNumber: makeSerialNumber(),
    notBefore: new Date(now.getTime() - CLOCK_SKEW_MS),
    notAfter: new Date(Math.min(now.getTime() + days * DAY_MS, ca.validToDate.getTime())),
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([{ type: 'dns', value: peer }]),
      await authorityKeyIdentifier(issuer),
      await SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** The issuer's own identifier where it has one: another CA tool may have computed it by another rule (RFC 5280 §4.2.1.1). */
async function authorityKeyIdentifier(issuer: X509Certificate): Promise<AuthorityKeyIdentifierExtension> {
  const own = issuer.getExtension(SubjectKeyIdentifierExtension);
  return own === null
    ? await AuthorityKeyIdentifierExtension.create(issuer.publicKey)
    : new AuthorityKeyIdentifierExtension(own.keyId);
}

function parseAuthority({
  caCertPem,
  caKeyPem,
  now,
}: {
  readonly caCertPem: string;
  readonly caKeyPem: string;
  readonly now: Date;
}): { ca: NodeCertificate; caKey: KeyObject } {
  const caKey = parsePrivateKey(caKeyPem, 'the key of the fabric CA');
  let ca: NodeCertificate;
  try {
    ca = new NodeCertificate(caCertPem);
  } catch (cause) {
    throw authorityError('is not a certificate in PEM', cause);
  }
  if (!ca.ca) throw authorityError('is not a CA certificate');
  if (!ca.checkPrivateKey(caKey)) throw authorityError('and its key do not belong together');
  if (ca.validToDate <= now) throw authorityError(`has expired on ${ca.validToDate.toISOString()}`);
  return { ca, caKey };
}

function authorityError(what: string, cause?: unknown): AppError {
  return new AppError('ERR_CERTIFICATE', `the certificate of the fabric CA ${what}`, {
    cause,
    fix: 'give cert.pem and key.pem of the fabric, as "clusterlink-mcs create fabric" wrote them',
  });
}
