/** Both ends of the CSR flow as files: `request cert` where the key is used, `sign cert` where the fabric's key is kept. */
import { createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../api/errors.ts';
import { exists, readAuthority, writeDirectory } from './files.ts';
import { peerNameOf } from './identity.ts';
import { noteIssued } from './issued.ts';
import { parsePrivateKey, parsePrivateKeys, type KeyType } from './keys.ts';
import { ROOTS_MAX } from './limits.ts';
import { parseCertificates } from './peer-identity.ts';
import { readKeyFile, readPemFile } from './pem-files.ts';
import { assertPeerName, createRequest, createRequestFor, fingerprintOf } from './request.ts';
import { replaceFiles, type Step } from './replace-files.ts';
import { signRequest } from './sign.ts';

export interface RequestFiles {
  readonly request: string;
  /** The key that was made; absent when there was one. */
  readonly key?: string;
  /** SHA-256 of the public key. */
  readonly fingerprint: string;
}

/**
 * Makes a key and a request, `<out>/<peer>/key.pem` and `request.pem`; or for the key in a file, the request alone, beside it.
 *
 * @throws {AppError} `ERR_USAGE`; `ERR_ALREADY_EXISTS` when the folder is there; `ERR_KEY_PERMISSIONS`, `ERR_CERTIFICATE`.
 */
export async function createRequestFiles(options: {
  readonly peer: string;
  readonly out: string;
  /** A file with the key that the next certificate is for too. */
  readonly key?: string;
  /** Of a key that is made. */
  readonly keyType?: KeyType;
}): Promise<RequestFiles> {
  const { peer, out, key: keyFile, keyType = 'ecdsa' } = options;
  assertPeerName(peer);
  if (keyFile !== undefined) return await requestForKey(peer, keyFile);
  const { csrPem, keyPem } = await createRequest({ peer, keyType });
  await writeDirectory({ parent: out, name: peer, files: { 'key.pem': keyPem, 'request.pem': csrPem } });
  const key = join(out, peer, 'key.pem');
  return { key, request: join(out, peer, 'request.pem'), fingerprint: fingerprintOfKey(parsePrivateKey(keyPem, key)) };
}

async function requestForKey(peer: string, keyFile: string): Promise<RequestFiles> {
  const [key, ...more] = parsePrivateKeys(await readKeyFile(keyFile), keyFile);
  if (key === undefined || more.length > 0) {
    throw new AppError('ERR_CERTIFICATE', `${keyFile}: has ${1 + more.length} private keys instead of one`, {
      fix: 'leave the key in it that the certificate is to be for',
    });
  }
  const directory = dirname(keyFile);
  await replaceFiles(directory, [{ file: 'request.pem', text: await createRequestFor({ peer, key, what: keyFile }) }]);
  return { request: join(directory, 'request.pem'), fingerprint: fingerprintOfKey(key) };
}

function fingerprintOfKey(key: KeyObject): string {
  return fingerprintOf(createPublicKey(key));
}

export interface SignedFiles {
  readonly peer: string;
  readonly fingerprint: string;
  readonly notAfter: Date;
  readonly cert: string;
  readonly ca: string;
}

/**
 * Signs a request and writes `<out>/cert.pem` (leaf and issuing CA), and `ca.pem` with the issuing CA in it: those that are there
 * already stay. A certificate that is there is replaced if it is for the same key.
 *
 * @throws {AppError} `ERR_CERTIFICATE` for a request that does not do; `ERR_ALREADY_EXISTS` when there is a certificate for
 *   another key; `ERR_NOT_FOUND`, `ERR_KEY_PERMISSIONS`, `ERR_USAGE`.
 */
export async function signRequestFile(options: {
  readonly request: string;
  readonly path: string;
  readonly fabric: string;
  readonly out?: string;
  readonly days?: number;
  /** Whose request it must be. */
  readonly peer?: string;
  readonly mode?: 'write' | 'dry-run';
}): Promise<SignedFiles> {
  const { request, path, fabric, out = dirname(request), days, peer, mode = 'write' } = options;
  const csrPem = await readRequest(request);
  const authority = await readAuthority({ path, fabric });
  const leafPem = await signRequest({ ...authority, csrPem, ...(days === undefined ? {} : { days }) });
  const leaf = new X509Certificate(leafPem);
  const name = peerNameOf(leaf);
  if (peer !== undefined && peer !== name) {
    throw new AppError('ERR_CERTIFICATE', `${request}: is the request of peer ${name}, not of ${peer}`, {
      fix: `ask whoever sent it; nothing was signed for ${name}`,
    });
  }
  await assertSameKey(join(out, 'cert.pem'), leaf);
  const steps = [...(await rootSteps(out, authority.caCertPem)), certStep(leafPem, authority.caCertPem)];
  if (mode === 'write') {
    await noteIssued(join(path, fabric), name, leafPem);
    await mkdir(out, { recursive: true, mode: 0o755 });
    await replaceFiles(out, steps);
  }
  return {
    peer: name,
    fingerprint: fingerprintOf(leaf.publicKey),
    notAfter: leaf.validToDate,
    cert: join(out, 'cert.pem'),
    ca: join(out, 'ca.pem'),
  };
}

export function certStep(leafPem: string, caCertPem: string): Step {
  return { file: 'cert.pem', text: leafPem + caCertPem };
}

/**
 * The issuing CA beside the roots that are there, before the certificate is: a peer that reads in between has a certificate that
 * one of its roots vouches for. Nothing is taken out: when the others have moved is for their owner to say.
 */
export async function rootSteps(directory: string, caCertPem: string): Promise<Step[]> {
  const file = join(directory, 'ca.pem');
  if (!(await exists(file))) return [{ file: 'ca.pem', text: caCertPem }];
  const present = await readPemFile(file);
  const roots = parseCertificates(present, file);
  const [issuer] = parseCertificates(caCertPem, 'the certificate of the fabric CA');
  if (roots.some(({ fingerprint256 }) => fingerprint256 === issuer?.fingerprint256)) return [];
  if (roots.length >= ROOTS_MAX) {
    throw new AppError('ERR_BOUND_EXCEEDED', `${file}: has ${ROOTS_MAX} CA certificates already`, {
      fix: 'take out those that no certificate is signed by any more',
    });
  }
  return [{ file: 'ca.pem', text: `${present.trimEnd()}\n${caCertPem}` }];
}

async function readRequest(file: string): Promise<string> {
  try {
    return await readPemFile(file);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'ERR_NOT_FOUND') throw error;
    throw new AppError('ERR_NOT_FOUND', error.message, {
      cause: error,
      fix: 'give the request.pem that "npx clusterlink-mcs request cert PEER" has made',
    });
  }
}

/** A certificate of another key would leave the key beside it without one. */
async function assertSameKey(file: string, leaf: X509Certificate): Promise<void> {
  if (!(await exists(file))) return;
  const [present] = parseCertificates(await readPemFile(file), file);
  if (present?.publicKey.equals(leaf.publicKey) === true) return;
  throw new AppError('ERR_ALREADY_EXISTS', `${file}: is a certificate for another key`, {
    fix: 'give another folder with --out, and replace key and certificate together',
  });
}
