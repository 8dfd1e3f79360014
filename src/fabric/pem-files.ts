/** Reads PEM files: bounded, and private keys only where nobody else can read them. */
import { open } from 'node:fs/promises';
import { AppError, type ErrorCode } from '../api/errors.ts';
import { codeOf } from './error-code.ts';
import { CRL_FILE_BYTES_MAX, PEM_BYTES_MAX } from './limits.ts';

/** @throws {AppError} `ERR_NOT_FOUND`, `ERR_BOUND_EXCEEDED`. */
export async function readPemFile(file: string): Promise<string> {
  return await readBounded({ file, isKey: false, bytesMax: PEM_BYTES_MAX });
}

/**
 * Reads a private key that nobody but its owner can read, or this process by its group if it is not the owner. The file that is judged is the file that is read.
 *
 * @throws {AppError} `ERR_KEY_PERMISSIONS`, `ERR_NOT_FOUND`, `ERR_BOUND_EXCEEDED`.
 */
export async function readKeyFile(file: string): Promise<string> {
  return await readBounded({ file, isKey: true, bytesMax: PEM_BYTES_MAX });
}

/** A file with revocation lists. @throws {AppError} as {@link readPemFile}. */
export async function readListFile(file: string): Promise<string> {
  return await readBounded({ file, isKey: false, bytesMax: CRL_FILE_BYTES_MAX });
}

interface Bounded {
  readonly file: string;
  readonly isKey: boolean;
  readonly bytesMax: number;
}

async function readBounded({ file, isKey, bytesMax }: Bounded): Promise<string> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (cause) {
    throw unreadable(file, cause);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile())
      throw new AppError('ERR_CERTIFICATE', `${file}: is not a file`, { fix: 'give the path of a PEM file' });
    if (isKey && (stat.mode & othersBits(stat.uid)) !== 0) {
      throw new AppError('ERR_KEY_PERMISSIONS', `${file}: others than its owner can read this private key`, {
        fix: `chmod 600 ${file}`,
        details: { mode: (stat.mode & 0o777).toString(8) },
      });
    }
    if (stat.size > bytesMax) {
      throw new AppError('ERR_BOUND_EXCEEDED', `${file}: ${stat.size} bytes, more than ${bytesMax}`, {
        fix: 'give a PEM file with certificates, a key or revocation lists and nothing else',
      });
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/**
 * Permissions that a key must not grant. A Secret that the kubelet mounts belongs to root and to the pod's own group
 * (fsGroup), by which alone the process can read it: a group may read a file whose owner is somebody else.
 */
function othersBits(owner: number): number {
  return owner === process.getuid?.() ? 0o077 : 0o037;
}

function unreadable(file: string, cause: unknown): AppError {
  const [code, what]: [ErrorCode, string] =
    codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR'
      ? ['ERR_NOT_FOUND', 'there is no such file']
      : ['ERR_CERTIFICATE', `cannot be read (${codeOf(cause)})`];
  return new AppError(code, `${file}: ${what}`, {
    cause,
    fix: 'correct the path in the configuration (fabric.ca, fabric.cert, fabric.key, fabric.crl), or make the files with "npx clusterlink-mcs create peer-cert"',
  });
}
