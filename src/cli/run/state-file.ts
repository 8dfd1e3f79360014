/** Small JSON files of this process in its state folder: whole or absent, whatever happens. */
import { readFile } from 'node:fs/promises';
import { AppError } from '../../api/errors.ts';
import { replaceFile } from '../../store/directory/atomic-file.ts';

const MODE = 0o600;

/** @returns undefined when there is no such file. @throws {AppError} `ERR_STATE_SCHEMA` when it is not JSON. */
export async function readJsonFile(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new AppError('ERR_STATE_SCHEMA', `${file}: is not JSON`, {
      cause,
      fix: 'restore it from a copy, or remove it',
    });
  }
}

export function writeJsonFile(file: string, value: unknown): Promise<void> {
  return replaceFile(file, `${JSON.stringify(value, null, 2)}\n`, MODE);
}
