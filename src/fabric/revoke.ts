/** `revoke peer` and `renew crl`: the list of revoked certificates, `<path>/<fabric>/crl.pem`. */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '../api/errors.ts';
import { makeNextList, type NextList } from './crl.ts';
import { exists, readAuthority } from './files.ts';
import { peerNameOf } from './identity.ts';
import { readIssued, type Issued } from './issued.ts';
import { parseCertificates } from './peer-identity.ts';
import { readListFile, readPemFile } from './pem-files.ts';
import { replaceFiles } from './replace-files.ts';
import { assertPeerName } from './request.ts';
import { readList, splitLists, type ReadList } from './revocation.ts';
import { toSerial } from './revoked-serials.ts';

export interface RevokeOptions {
  readonly path: string;
  readonly fabric: string;
  readonly peer: string;
  /** Serial numbers of certificates that are not noted, hexadecimal. */
  readonly serials?: readonly string[];
  /** Files with such certificates. */
  readonly certs?: readonly string[];
  readonly mode?: 'write' | 'dry-run';
}

export interface WrittenList {
  readonly file: string;
  readonly nextUpdate: Date;
  /** What is revoked now and was not before. */
  readonly added: readonly string[];
  /** All that the list has. */
  readonly serials: readonly string[];
}

/** RFC 5280 §4.1.2.2: at most 20 octets. */
const SERIAL = /^[0-9a-f]{1,40}$/;

/**
 * Revokes every certificate that the fabric has issued for a name and that has not expired: those that are noted, the one in
 * the peer's folder, and those that are named.
 *
 * @throws {AppError} `ERR_NOT_FOUND` when there is none; `ERR_CERTIFICATE` for one of another CA or peer; `ERR_USAGE`;
 *   `ERR_BOUND_EXCEEDED`; `ERR_KEY_PERMISSIONS`; `ERR_ALREADY_EXISTS` while another command writes the list.
 */
export async function revokePeer(options: RevokeOptions): Promise<WrittenList> {
  const { path, fabric, peer, serials = [], certs = [], mode = 'write' } = options;
  assertPeerName(peer);
  const authority = await readAuthority({ path, fabric });
  const directory = join(path, fabric);
  const issued = await readIssued(directory);
  const own = join(directory, peer, 'cert.pem');
  const files = [...certs, ...((await exists(own)) ? [own] : [])];
  const shown: Issued[] = [];
  for (const file of files) {
    const found = await readLeaf({ file, peer, caCertPem: authority.caCertPem });
    // A folder may have a certificate of another fabric in it; a file that was named may not.
    if (found !== undefined) shown.push(found);
    else if (file !== own) throw notOurs(file, peer);
  }
  const nowMs = Date.now();
  const ofPeer = [...issued, ...shown].filter(
    ({ peer: name, notAfter }) => name === peer && notAfter.getTime() > nowMs,
  );
  const revoke = [...new Set([...ofPeer.map(({ serial }) => serial), ...serials.map(parseSerial)])];
  if (revoke.length === 0) {
    throw new AppError(
      'ERR_NOT_FOUND',
      `fabric ${fabric}: no certificate of peer ${peer} is known that has not expired`,
      {
        fix: 'name its certificate with --cert FILE, or its serial number with --serial',
      },
    );
  }
  return await writeList({ directory, authority, issued: [...issued, ...shown], revoke, mode });
}

/**
 * The same list with a new date.
 *
 * @throws {AppError} as {@link revokePeer}; an empty list is made where there is none.
 */
export async function renewList(options: {
  readonly path: string;
  readonly fabric: string;
  readonly mode?: 'write' | 'dry-run';
}): Promise<WrittenList> {
  const { path, fabric, mode = 'write' } = options;
  const authority = await readAuthority({ path, fabric });
  const directory = join(path, fabric);
  return await writeList({ directory, authority, issued: await readIssued(directory), revoke: [], mode });
}

interface WriteOptions {
  readonly directory: string;
  readonly authority: { readonly caCertPem: string; readonly caKeyPem: string };
  readonly issued: readonly Issued[];
  readonly revoke: readonly string[];
  readonly mode: 'write' | 'dry-run';
}

async function writeList({ directory, authority, issued, revoke, mode }: WriteOptions): Promise<WrittenList> {
  const file = join(directory, 'crl.pem');
  const notAfter = new Map(issued.map((one) => [one.serial, one.notAfter]));
  let before: ReadList | undefined;
  let next: NextList | undefined;
  const make = async (): Promise<NextList> => {
    before = await readPresent(file);
    return (next = await makeNextList({ ...authority, before, revoke, notAfter }));
  };
  if (mode === 'dry-run') await make();
  // Read and written under one claim: of two commands at once neither loses what the other has revoked.
  else await replaceFiles(directory, async () => [{ file: 'crl.pem', text: (await make()).pem }]);
  const known = new Set(before?.entries.map(({ serial }) => serial));
  const serials = next?.serials ?? [];
  return {
    file,
    nextUpdate: next?.nextUpdate ?? new Date(),
    added: serials.filter((serial) => !known.has(serial)),
    serials,
  };
}

async function readPresent(file: string): Promise<ReadList | undefined> {
  if (!(await exists(file))) return undefined;
  const [text = '', ...more] = splitLists(await readListFile(file));
  if (more.length === 0) return readList(text);
  throw new AppError('ERR_CERTIFICATE', `${file}: has ${1 + more.length} lists instead of the one of this fabric`, {
    fix: 'leave the list of this fabric in it',
  });
}

/** Undefined for a certificate that this CA has not signed, or that is another peer's. */
async function readLeaf(options: {
  readonly file: string;
  readonly peer: string;
  readonly caCertPem: string;
}): Promise<Issued | undefined> {
  const { file, peer, caCertPem } = options;
  const [leaf] = parseCertificates(await readPemFile(file), file);
  const ca = new X509Certificate(caCertPem);
  if (leaf === undefined || !leaf.checkIssued(ca) || !leaf.verify(ca.publicKey)) return undefined;
  if (peerNameOf(leaf) !== peer) return undefined;
  return { peer, serial: toSerial(leaf.serialNumber), notAfter: leaf.validToDate };
}

function notOurs(file: string, peer: string): AppError {
  return new AppError('ERR_CERTIFICATE', `${file}: is not a certificate of peer ${peer} that this fabric has signed`, {
    fix: 'give the cert.pem of that peer, and the fabric that has signed it',
  });
}

function parseSerial(text: string): string {
  const serial = toSerial(text);
  if (SERIAL.test(serial)) return serial;
  throw new AppError('ERR_USAGE', `--serial: ${JSON.stringify(text)} is not a serial number`, {
    fix: 'write it as "openssl x509 -noout -serial" does, in hexadecimal digits',
  });
}
