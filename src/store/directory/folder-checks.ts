/** Checks of the two folders before anything is written. */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { AppError } from '../../api/errors.ts';
import { describeIoError, errorCode } from './io-error.ts';

/**
 * State files are JSON: inside the manifests folder they would be read as manifests.
 *
 * @throws {AppError} `ERR_CONFIG`
 */
export async function checkFoldersApart(manifests: string, state: string): Promise<void> {
  const [outer, inner] = await Promise.all([realPathOf(resolve(manifests)), realPathOf(resolve(state))]);
  if (inner !== outer && !inner.startsWith(`${outer}${sep}`)) return;
  throw new AppError('ERR_CONFIG', `state folder ${state}: it lies inside the manifests folder ${manifests}`, {
    fix: 'Name a state folder elsewhere (--state): nothing of ours is kept among the manifests.',
  });
}

/**
 * A slip in the path is told at once.
 *
 * @throws {AppError} `ERR_CONFIG`
 */
export async function checkManifestsThere(manifests: string): Promise<void> {
  try {
    if (!(await stat(manifests)).isDirectory()) throw new Error('not a folder');
  } catch (error) {
    throw new AppError('ERR_CONFIG', `manifests folder ${manifests}: ${describeIoError(error)}`, {
      cause: error,
      fix: `Create it (mkdir -p ${manifests}) or correct the path after dir:.`,
    });
  }
}

/** Links resolved as far as the path exists. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) return path;
    return join(await realPathOf(dirname(path)), basename(path));
  }
}
