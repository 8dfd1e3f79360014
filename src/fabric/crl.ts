/** The CA's end of revocation: makes the next list of those that it has made. */
import { X509Certificate as NodeCertificate } from 'node:crypto';
import { AppError } from '../api/errors.ts';
import { toAuthority } from './authority-facts.ts';
import { encodeInteger } from './der.ts';
import { parsePrivateKey, toSigningKey } from './keys.ts';
import { CRL_BYTES_MAX, CRL_DAYS } from './limits.ts';
import { readList, signerOf, type ReadList } from './revocation.ts';
import {
  AuthorityKeyIdentifierExtension,
  Extension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CrlGenerator,
  X509CrlReason,
} from './x509.ts';

const DAY_MS = 86_400_000;
/** RFC 5280 §5.2.3. */
const CRL_NUMBER = '2.5.29.20';
/** Base64 lines of PEM (RFC 7468 §2). */
const PEM_LINE = /.{1,64}/g;

export interface NextListOptions {
  readonly caCertPem: string;
  readonly caKeyPem: string;
  /** The list that is there. */
  readonly before: ReadList | undefined;
  /** Serial numbers, as `toSerial` writes them. */
  readonly revoke: readonly string[];
  /** When certificates end, by serial number, as far as that is known. */
  readonly notAfter: ReadonlyMap<string, Date>;
  /** When it is made; tests set it. */
  readonly now?: Date;
}

export interface NextList {
  readonly pem: string;
  readonly number: bigint;
  readonly nextUpdate: Date;
  /** As `toSerial` writes them. */
  readonly serials: readonly string[];
}

/**
 * The list before, and what is revoked now. What had expired when the list before was made has stood on one list after its end
 * (RFC 5280 §3.3), and is left out.
 *
 * Its number is the time in seconds, or one more than that of the list before: should the file be lost, the next list is still
 * newer than those that peers have.
 *
 * @throws {AppError} `ERR_CERTIFICATE` when the CA's key is none that can sign, or the list before is another CA's;
 *   `ERR_BOUND_EXCEEDED` when it would be larger than peers take.
 */
export async function makeNextList(options: NextListOptions): Promise<NextList> {
  const { caCertPem, caKeyPem, before, revoke, notAfter, now = new Date() } = options;
  const ca = new NodeCertificate(caCertPem);
  if (before !== undefined && signerOf(before, [toAuthority(ca)]) === undefined) {
    throw new AppError('ERR_CERTIFICATE', 'the crl.pem of the fabric is not signed by its CA', {
      fix: 'put back the crl.pem that "revoke peer" has written for this fabric, or move that one away',
    });
  }
  const caKey = parsePrivateKey(caKeyPem, 'the key of the fabric CA');
  if (!ca.checkPrivateKey(caKey)) {
    throw new AppError('ERR_CERTIFICATE', 'the certificate of the fabric CA and its key do not belong together');
  }
  const isOver = (serial: string): boolean =>
    (notAfter.get(serial)?.getTime() ?? Infinity) < (before?.thisUpdateMs ?? -Infinity);
  const kept = (before?.entries ?? []).filter(({ serial }) => !isOver(serial));
  const known = new Set(kept.map(({ serial }) => serial));
  const entries = [
    ...kept,
    ...[...new Set(revoke)].filter((serial) => !known.has(serial)).map((serial) => ({ serial, revokedAt: now })),
  ];
  const nextUpdate = new Date(now.getTime() + CRL_DAYS * DAY_MS);
  const seconds = BigInt(Math.floor(now.getTime() / 1000));
  const number = before === undefined || before.number < seconds ? seconds : before.number + 1n;
  const { key, algorithm } = toSigningKey(caKey, 'the key of the fabric CA');
  const issuer = new X509Certificate(ca.raw);
  const crl = await X509CrlGenerator.create({
    issuer: issuer.subjectName,
    thisUpdate: now,
    nextUpdate,
    signingKey: key,
    signingAlgorithm: algorithm,
    entries: entries.map(({ serial, revokedAt }) => ({
      serialNumber: serial.length % 2 === 0 ? serial : `0${serial}`,
      revocationDate: revokedAt,
      reason: X509CrlReason.privilegeWithdrawn,
    })),
    extensions: [await keyIdentifierOf(issuer), new Extension(CRL_NUMBER, false, encodeInteger(number))],
  });
  const text = Buffer.from(crl.rawData).toString('base64');
  if (text.length > CRL_BYTES_MAX) {
    throw new AppError(
      'ERR_BOUND_EXCEEDED',
      `the revocation list: ${text.length} characters, more than ${CRL_BYTES_MAX}`,
      {
        fix: 'give the fabric a new root (docs/CONFIGURATION.md), and certificates to those who stay: its list begins empty',
      },
    );
  }
  // Whoever reads it reads it strictly: better that this command fails than every peer.
  readList(text);
  const pem = ['-----BEGIN X509 CRL-----', ...(text.match(PEM_LINE) ?? []), '-----END X509 CRL-----', ''].join('\n');
  return { pem, number, nextUpdate, serials: entries.map(({ serial }) => serial) };
}

async function keyIdentifierOf(issuer: X509Certificate): Promise<AuthorityKeyIdentifierExtension> {
  const own = issuer.getExtension(SubjectKeyIdentifierExtension);
  return own === null
    ? await AuthorityKeyIdentifierExtension.create(issuer.publicKey)
    : new AuthorityKeyIdentifierExtension(own.keyId);
}
