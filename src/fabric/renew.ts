/** `renew cert`: another certificate in the place of the one that is there, for the same key or a new one. */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '../api/errors.ts';
import { readAuthority } from './files.ts';
import { peerNameOf } from './identity.ts';
import { noteIssued } from './issued.ts';
import { parsePrivateKeys, toPem, typeOfKey, type KeyType } from './keys.ts';
import { keyOf, parseCertificates } from './peer-identity.ts';
import { readKeyFile, readPemFile } from './pem-files.ts';
import { replaceFiles, type Step } from './replace-files.ts';
import { assertPeerName, createRequest, createRequestFor, fingerprintOf } from './request.ts';
import { certStep, rootSteps, type SignedFiles } from './request-files.ts';
import { signRequest } from './sign.ts';

export interface RenewOptions {
  readonly path: string;
  readonly fabric: string;
  readonly peer: string;
  readonly days?: number;
  readonly key: 'same' | 'new';
  /** Of a new key; absent: that of the old one. */
  readonly keyType?: KeyType;
  readonly mode?: 'write' | 'dry-run';
}

/**
 * Renews `<path>/<fabric>/<peer>/cert.pem`, also one that has expired.
 *
 * For the same key one file is replaced, which is one step. For a new key there are two, and no system replaces two files in
 * one step, so the key file has both keys meanwhile:
 *
 * ```
 *   key.pem    old         old, new     old, new       new
 *   cert.pem   of old  ->  of old   ->  of new     ->  of new
 * ```
 *
 * Whoever reads at any moment, or after a crash at any, finds the key of the certificate among those in the key file. The old
 * key is first while the old certificate is there, since other programs read the first one only.
 *
 * @throws {AppError} `ERR_NOT_FOUND`, `ERR_KEY_PERMISSIONS`, `ERR_USAGE`; `ERR_CERTIFICATE` when the files do not belong together
 *   as they are; `ERR_ALREADY_EXISTS` while another renewal is under way.
 */
export async function renewPeerCertFiles(options: RenewOptions): Promise<SignedFiles> {
  const { path, fabric, peer, days, key, keyType, mode = 'write' } = options;
  assertPeerName(peer);
  const authority = await readAuthority({ path, fabric });
  const directory = join(path, fabric, peer);
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem'), ca: join(directory, 'ca.pem') };
  const oldKey = await readPresentKey({ ...files, peer });
  const made =
    key === 'new'
      ? await createRequest({ peer, keyType: keyType ?? typeOfKey(oldKey) })
      : { csrPem: await createRequestFor({ peer, key: oldKey, what: files.key }), keyPem: undefined };
  const { csrPem, keyPem: newKeyPem } = made;
  const leafPem = await signRequest({ ...authority, csrPem, ...(days === undefined ? {} : { days }) });
  const leaf = new X509Certificate(leafPem);
  const roots = await rootSteps(directory, authority.caCertPem);
  const oldKeyPem = toPem(oldKey);
  const steps: Step[] = [
    ...(newKeyPem === undefined ? [] : [{ file: 'key.pem' as const, text: oldKeyPem + newKeyPem }]),
    ...roots,
    certStep(leafPem, authority.caCertPem),
    ...(newKeyPem === undefined ? [] : [{ file: 'key.pem' as const, text: newKeyPem }]),
  ];
  if (mode === 'write') {
    await noteIssued(join(path, fabric), peer, leafPem);
    await replaceFiles(directory, steps);
  }
  return {
    peer,
    fingerprint: fingerprintOf(leaf.publicKey),
    notAfter: leaf.validToDate,
    cert: files.cert,
    ca: files.ca,
  };
}

/** The key of the certificate that is there. */
async function readPresentKey(files: { readonly cert: string; readonly key: string; readonly peer: string }) {
  const { cert, key, peer } = files;
  const [leaf] = parseCertificates(await readPresent(cert, peer), cert);
  if (leaf === undefined || peerNameOf(leaf) !== peer) {
    throw new AppError('ERR_CERTIFICATE', `${cert}: is not the certificate of peer ${peer}`, {
      fix: 'name the peer whose certificate it is',
    });
  }
  return keyOf({ leaf, privateKeys: parsePrivateKeys(await readKeyFile(key), key), cert, key });
}

async function readPresent(cert: string, peer: string): Promise<string> {
  try {
    return await readPemFile(cert);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'ERR_NOT_FOUND') throw error;
    throw new AppError('ERR_NOT_FOUND', error.message, {
      cause: error,
      fix: `a certificate that was signed elsewhere is renewed by "request cert ${peer} --key key.pem" and "sign cert"; the first one is made with "create peer-cert"`,
    });
  }
}
