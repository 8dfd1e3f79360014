/** Certificates and keys as files, laid out as ClusterLink's CLI does: `<path>/<fabric>/` and `<path>/<fabric>/<peer>/`. */
import { chmod, lstat, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../api/errors.ts';
import { createFabric, isFabricName } from './authority.ts';
import { codeOf } from './error-code.ts';
import { noteIssued } from './issued.ts';
import type { KeyType } from './keys.ts';
import { readKeyFile, readPemFile } from './pem-files.ts';
import { assertPeerName, createRequest } from './request.ts';
import { signRequest } from './sign.ts';

export { loadIdentity, type IdentityFiles, type PeerIdentity } from './peer-identity.ts';

export interface WrittenFiles {
  readonly directory: string;
  readonly cert: string;
  readonly key: string;
  /** The fabric CA's certificate. */
  readonly ca: string;
}

/**
 * Makes a fabric CA and writes `<path>/<fabric>/cert.pem` and `key.pem`.
 *
 * @throws {AppError} `ERR_ALREADY_EXISTS` when the folder is there: a fabric is never made twice over itself.
 */
export async function createFabricFiles({
  path,
  fabric,
  keyType = 'ecdsa',
}: {
  readonly path: string;
  readonly fabric: string;
  readonly keyType?: KeyType;
}): Promise<WrittenFiles> {
  const { certPem, keyPem } = await createFabric({ name: fabric, keyType });
  const directory = join(path, fabric);
  await writeDirectory({ parent: path, name: fabric, files: { 'cert.pem': certPem, 'key.pem': keyPem } });
  return {
    directory,
    cert: join(directory, 'cert.pem'),
    key: join(directory, 'key.pem'),
    ca: join(directory, 'cert.pem'),
  };
}

/**
 * Does both ends of the CSR flow at once, where the fabric's key is at hand: writes `<path>/<fabric>/<peer>/cert.pem` (leaf
 * and issuing CA), `key.pem` and `ca.pem`.
 *
 * @throws {AppError} `ERR_ALREADY_EXISTS`; `ERR_NOT_FOUND` when there is no such fabric; `ERR_KEY_PERMISSIONS`.
 */
export async function createPeerCertFiles(options: {
  readonly path: string;
  readonly fabric: string;
  readonly peer: string;
  readonly days?: number;
  readonly keyType?: KeyType;
}): Promise<WrittenFiles> {
  const { path, fabric, peer, days, keyType = 'ecdsa' } = options;
  assertPeerName(peer);
  assertFabricName(fabric);
  const parent = join(path, fabric);
  const directory = join(parent, peer);
  if (await exists(directory)) throw alreadyExists(directory);
  const { caCertPem, caKeyPem } = await readAuthority({ path, fabric });
  const { csrPem, keyPem } = await createRequest({ peer, keyType });
  const leafPem = await signRequest({ caCertPem, caKeyPem, csrPem, ...(days === undefined ? {} : { days }) });
  await noteIssued(parent, peer, leafPem);
  const files = { 'cert.pem': leafPem + caCertPem, 'key.pem': keyPem, 'ca.pem': caCertPem };
  await writeDirectory({ parent, name: peer, files });
  return {
    directory,
    cert: join(directory, 'cert.pem'),
    key: join(directory, 'key.pem'),
    ca: join(directory, 'ca.pem'),
  };
}

/** @throws {AppError} `ERR_USAGE`. */
export function assertFabricName(fabric: string): void {
  if (!isFabricName(fabric)) throw new AppError('ERR_USAGE', `fabric ${JSON.stringify(fabric)}: not a fabric name`);
}

/**
 * What signs the peers of a fabric.
 *
 * @throws {AppError} `ERR_USAGE`; `ERR_NOT_FOUND` when there is no such fabric; `ERR_KEY_PERMISSIONS`.
 */
export async function readAuthority({
  path,
  fabric,
}: {
  readonly path: string;
  readonly fabric: string;
}): Promise<{ readonly caCertPem: string; readonly caKeyPem: string }> {
  assertFabricName(fabric);
  const directory = join(path, fabric);
  const caCertPem = await readFabricFile(join(directory, 'cert.pem'), fabric);
  return { caCertPem, caKeyPem: await readKeyFile(join(directory, 'key.pem')) };
}

async function readFabricFile(file: string, fabric: string): Promise<string> {
  try {
    return await readPemFile(file);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'ERR_NOT_FOUND') throw error;
    throw new AppError('ERR_NOT_FOUND', `fabric ${fabric}: there is no ${file}`, {
      fix: `make it with "npx clusterlink-mcs create fabric --name ${fabric}", or give its folder with --path`,
    });
  }
}

/**
 * Writes a whole folder or none: a half-written one would refuse the next attempt and serve nobody. The folder is filled
 * under another name and moved; what a killed process leaves is that other name.
 */
export async function writeDirectory(options: {
  readonly parent: string;
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
}): Promise<void> {
  const { parent, name, files } = options;
  const directory = join(parent, name);
  await mkdir(parent, { recursive: true, mode: 0o755 });
  if (await exists(directory)) throw alreadyExists(directory);
  const draft = await mkdtemp(join(parent, `.${name}-`));
  try {
    for (const [file, text] of Object.entries(files)) {
      await writeFile(join(draft, file), text, { flag: 'wx', mode: file === 'key.pem' ? 0o600 : 0o644, flush: true });
    }
    await chmod(draft, 0o755);
    await rename(draft, directory);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'ENOTDIR' ? alreadyExists(directory) : error;
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function alreadyExists(directory: string): AppError {
  return new AppError('ERR_ALREADY_EXISTS', `${directory}: exists already`, {
    fix: 'choose another name or --path, or remove the folder if nothing uses its certificates any more',
  });
}
