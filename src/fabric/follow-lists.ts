/**
 * Follows the file of revocation lists while the process runs, as `follow-identity.ts` does the files of the identity.
 *
 * A file that is not there has no lists: it comes when somebody is revoked. What was in it stays in force with whoever has it.
 */
import { AppError } from '../api/errors.ts';
import { followAtRest } from './follow-at-rest.ts';
import { readListFile } from './pem-files.ts';
import { readList, splitLists } from './revocation.ts';

export interface FollowListsOptions {
  readonly file: string;
  /** Other lists are in the file: DER in base64, each. */
  onChange(lists: readonly string[]): void;
  /** What the file says now does not do; told once for each problem. */
  onProblem(error: AppError): void;
  /** Tests set it. */
  readonly lookMs?: number;
}

/** Resolves when the file was judged for the first time. The result ends it. */
export async function followLists(options: FollowListsOptions): Promise<() => void> {
  const { file, onChange, onProblem, lookMs } = options;
  let inForce = '';
  let told: string | undefined;

  function take(found: Look): void {
    if ('error' in found) {
      if (told !== found.error.message) onProblem(found.error);
      told = found.error.message;
      return;
    }
    told = undefined;
    if (found.text === inForce) return;
    inForce = found.text;
    onChange(found.lists);
  }

  const first = await lookAt(file);
  take(first);
  return followAtRest({ look: () => lookAt(file), onRest: take, before: first.text, lookMs });
}

/**
 * The text of a file of lists; undefined where there is none.
 *
 * @throws {AppError} `ERR_MALFORMED` or `ERR_BOUND_EXCEEDED` for what running peers would not take.
 */
export async function readLists(file: string): Promise<string | undefined> {
  const found = await lookAt(file);
  if ('error' in found) throw found.error;
  return found.text === '' ? undefined : found.text;
}

type Look = { readonly text: string } & ({ readonly lists: readonly string[] } | { readonly error: AppError });

async function lookAt(file: string): Promise<Look> {
  try {
    return judge(file, await readListFile(file));
  } catch (error) {
    if (error instanceof AppError && error.code === 'ERR_NOT_FOUND') return { text: '', lists: [] };
    return { text: String(error), error: error instanceof AppError ? error : unreadable(file, error) };
  }
}

function judge(file: string, text: string): Look {
  try {
    const lists = splitLists(text);
    lists.forEach(readList);
    return { text, lists };
  } catch (error) {
    const { code, message, fix } = error instanceof AppError ? error : unreadable(file, error);
    return { text, error: new AppError(code, `${file}: ${message}`, fix === undefined ? {} : { fix }) };
  }
}

function unreadable(file: string, cause: unknown): AppError {
  return new AppError('ERR_CERTIFICATE', `${file}: cannot be read`, { cause, fix: 'look at the disk that it is on' });
}
