/** Who this peer is: its certificate, its key and the roots it trusts, checked as a whole before anything is served. */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { AppError } from '../api/errors.ts';
import { peerNameOf } from './identity.ts';
import { parsePrivateKeys } from './keys.ts';
import { ROOTS_MAX } from './limits.ts';
import { readKeyFile, readPemFile } from './pem-files.ts';

export interface PeerIdentity {
  readonly peer: string;
  /** The leaf, and the chain that came with it. */
  readonly certPem: string;
  readonly keyPem: string;
  /** The roots whose peers are believed. */
  readonly caPem: string;
  /** When the leaf expires, or the root that signed it if that is sooner. */
  readonly notAfter: Date;
}

export interface IdentityFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** The configured name, which the certificate must carry. */
  readonly peer?: string;
  /** When it is read; tests set it. */
  readonly now?: Date;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
/** RFC 5280 §4.2.1.12. */
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const RENEW =
  'make a new one with "npx clusterlink-mcs renew cert PEER", or have a request of "request cert PEER" signed by the fabric CA';

/** The three files as they stood. */
export interface IdentityTexts {
  readonly caPem: string;
  readonly certPem: string;
  /** May hold two keys while they are replaced: see {@link parseIdentity}. */
  readonly keysPem: string;
}

/** A renewal changes the key file twice; more changes than that are somebody else's, and judged as they stand. */
const READS_MAX = 3;

/**
 * Reads them as they stood together: the key file is the same before and after the others are read, so a renewal in between
 * (`src/fabric/renew.ts`) cannot give the old key and the new certificate.
 *
 * @throws {AppError} `ERR_CERTIFICATE`, `ERR_KEY_PERMISSIONS`, `ERR_NOT_FOUND` or `ERR_BOUND_EXCEEDED`.
 */
export async function readIdentity({ ca, cert, key }: IdentityFiles): Promise<IdentityTexts> {
  let keysPem = await readKeyFile(key);
  for (let reads = 1; ; reads++) {
    const texts = { keysPem, caPem: await readPemFile(ca), certPem: await readPemFile(cert) };
    keysPem = await readKeyFile(key);
    if (keysPem === texts.keysPem || reads >= READS_MAX) return texts;
  }
}

/**
 * Reads and checks the three files: whatever would make other peers refuse us is told here, with the file's name.
 *
 * @throws {AppError} `ERR_CERTIFICATE`, `ERR_KEY_PERMISSIONS`, `ERR_NOT_FOUND` or `ERR_BOUND_EXCEEDED`.
 */
export async function loadIdentity(files: IdentityFiles): Promise<PeerIdentity> {
  return parseIdentity(await readIdentity(files), files);
}

/**
 * Of the keys in the key file, the one of the certificate counts: two files cannot be replaced in one step, so a renewal has
 * both keys in the one while it replaces the other (`src/fabric/renew.ts`).
 *
 * @param files - names the files in errors; they are not read.
 * @throws {AppError} `ERR_CERTIFICATE` or `ERR_BOUND_EXCEEDED`.
 */
export function parseIdentity(texts: IdentityTexts, files: IdentityFiles): PeerIdentity {
  const { caPem, certPem, keysPem } = texts;
  const { ca, cert, key, peer, now = new Date() } = files;
  const privateKeys = parsePrivateKeys(keysPem, key);
  const [leaf] = parseCertificates(certPem, cert);
  const roots = parseCertificates(caPem, ca);
  if (leaf === undefined) throw certificateError(cert, 'has no certificate in it', RENEW);

  const privateKey = keyOf({ leaf, privateKeys, cert, key });
  assertValidity(leaf, cert, now);
  assertUsages(leaf, cert);
  const root = roots.find((candidate) => leaf.checkIssued(candidate) && leaf.verify(candidate.publicKey));
  if (root === undefined) {
    throw certificateError(
      cert,
      `is not signed by the CA in ${ca}`,
      'give the certificate of the CA that signed it in fabric.ca',
    );
  }
  if (!root.ca) throw certificateError(ca, 'is not a CA certificate', 'give the cert.pem of the fabric in fabric.ca');
  assertValidity(root, ca, now);
  const name = nameIn(leaf, cert);
  if (peer !== undefined && peer !== name) {
    throw certificateError(
      cert,
      `is the certificate of peer ${name}, not of ${peer}`,
      `set peer: ${name}, or give the certificate of ${peer}`,
    );
  }
  const notAfter = leaf.validToDate < root.validToDate ? leaf.validToDate : root.validToDate;
  const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  assertReadableKeys(roots, ca);
  assertUsable({ cert: certPem, key: keyPem, ca: caPem }, cert);
  return { peer: name, certPem, keyPem, caPem, notAfter };
}

/** @throws {AppError} `ERR_CERTIFICATE` or `ERR_BOUND_EXCEEDED`. */
export function parseCertificates(pem: string, file: string): X509Certificate[] {
  const blocks = pem.match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0)
    throw certificateError(file, 'has no certificate in PEM', 'give a file with "BEGIN CERTIFICATE"');
  if (blocks.length > ROOTS_MAX) {
    throw new AppError('ERR_BOUND_EXCEEDED', `${file}: ${blocks.length} certificates, more than ${ROOTS_MAX}`);
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw certificateError(file, 'has a certificate that cannot be read', RENEW, cause);
  }
}

/** @throws {AppError} `ERR_CERTIFICATE` when none of the keys is that of the certificate. */
export function keyOf(options: {
  readonly leaf: X509Certificate;
  readonly privateKeys: readonly KeyObject[];
  readonly cert: string;
  readonly key: string;
}): KeyObject {
  const { leaf, privateKeys, cert, key } = options;
  const own = privateKeys.find((candidate) => leaf.checkPrivateKey(candidate));
  if (own !== undefined) return own;
  throw certificateError(cert, `does not belong to the key in ${key}`, 'give the cert.pem and key.pem of one folder');
}

function assertValidity(certificate: X509Certificate, file: string, now: Date): void {
  if (certificate.validToDate <= now) {
    throw certificateError(file, `has expired on ${certificate.validToDate.toISOString()}`, RENEW);
  }
  if (certificate.validFromDate > now) {
    const from = certificate.validFromDate.toISOString();
    throw certificateError(file, `is not valid before ${from}`, "set this machine's clock, or wait until then");
  }
}

/** A certificate that lists its uses must list both: a peer dials and is dialled. One that lists none may do all. */
function assertUsages(leaf: X509Certificate, file: string): void {
  const usages = leaf.keyUsage as readonly string[] | undefined;
  if (usages === undefined || (usages.includes(SERVER_AUTH) && usages.includes(CLIENT_AUTH))) return;
  throw certificateError(file, 'is not for both serverAuth and clientAuth', RENEW);
}

/** A CA that is judged later, when somebody calls, must not turn out then to have a key that is not known here. */
function assertReadableKeys(roots: readonly X509Certificate[], file: string): void {
  for (const root of roots) {
    try {
      void root.publicKey.asymmetricKeyType;
    } catch (cause) {
      const fix = 'leave it out, or give a CA with a key on P-256 or of RSA';
      throw certificateError(file, 'has a certificate whose public key cannot be read', fix, cause);
    }
  }
}

/** What TLS itself does not take, as RSA of 1024 bits: said here, or the next caller would end the process. */
function assertUsable(texts: { readonly cert: string; readonly key: string; readonly ca: string }, file: string): void {
  try {
    createSecureContext(texts);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw certificateError(file, `cannot be used for TLS (${code})`, RENEW, cause);
  }
}

function nameIn(leaf: X509Certificate, file: string): string {
  try {
    return peerNameOf(leaf);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw certificateError(file, error.message, error.fix ?? RENEW);
  }
}

function certificateError(file: string, what: string, fix: string, cause?: unknown): AppError {
  return new AppError('ERR_CERTIFICATE', `${file}: ${what}`, { fix, ...(cause === undefined ? {} : { cause }) });
}
