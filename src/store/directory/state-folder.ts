/** The state folder as a whole: ours alone, one process at a time, of a version that this program knows. */
import { chmod, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../api/errors.ts';
import { ensureFolder, replaceFile } from './atomic-file.ts';
import { errorCode, stateIoError } from './io-error.ts';
import { acquireLock, type Lock } from './lock.ts';

/** Only its owner may look in: the folder holds what peers said, and the sockets and keys of others beside it. */
export const STATE_FOLDER_MODE = 0o700;
export const STATE_FILE_MODE = 0o600;
/** Grows when old files can no longer be read as they are. */
export const STATE_SCHEMA_VERSION = 1;
const SCHEMA_FILE = 'schema.json';

/**
 * Opens the folder, and creates it when it is absent.
 *
 * @throws {AppError} `ERR_STATE_LOCKED`, `ERR_STATE_SCHEMA`, `ERR_STATE_IO`, or `ERR_CONFIG` when others may look in.
 */
export async function openStateFolder(folder: string): Promise<Lock> {
  let lock: Lock | undefined;
  try {
    await ensureFolder(folder, STATE_FOLDER_MODE);
    await ensurePrivate(folder);
    lock = await acquireLock(folder);
    await ensureSchema(folder);
    return lock;
  } catch (error) {
    await lock?.release();
    throw error instanceof AppError ? error : stateIoError(`state folder ${folder}`, error);
  }
}

/** A folder that is new or ours already is closed to others; any other one (`--state /tmp`) is not ours to change. */
async function ensurePrivate(folder: string): Promise<void> {
  const { mode } = await stat(folder);
  if ((mode & 0o077) === 0) return;
  const entries = await readdir(folder);
  if (entries.length > 0 && !entries.includes(SCHEMA_FILE)) {
    throw new AppError(
      'ERR_CONFIG',
      `state folder ${folder}: others may look into it (mode ${(mode & 0o777).toString(8)})`,
      {
        fix: `Name an empty folder, or run: chmod 700 ${folder}`,
      },
    );
  }
  await chmod(folder, STATE_FOLDER_MODE);
}

async function ensureSchema(folder: string): Promise<void> {
  const path = join(folder, SCHEMA_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    await replaceFile(path, `${JSON.stringify({ version: STATE_SCHEMA_VERSION })}\n`, STATE_FILE_MODE);
    return;
  }
  const version = parseVersion(text);
  if (version === STATE_SCHEMA_VERSION) return;
  throw new AppError(
    'ERR_STATE_SCHEMA',
    `${path}: version ${version ?? 'unreadable'}, expected ${STATE_SCHEMA_VERSION}`,
    {
      fix: 'Use the release that wrote this folder, or a new state folder; then every export gets a new identity.',
    },
  );
}

function parseVersion(text: string): number | undefined {
  try {
    const { version } = JSON.parse(text) as { version?: unknown };
    return typeof version === 'number' ? version : undefined;
  } catch {
    return undefined;
  }
}
