/** `check DIR`: what is wrong with a folder of manifests, without running anything. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { compareText } from '../api/object.ts';
import { checkManifestsThere } from '../store/directory/folder-checks.ts';
import { lookAtFolder, readManifest, type FileLook, type FileText } from '../store/directory/folder.ts';
import { parseManifestFile, type ManifestObject, type Problem } from '../store/directory/manifest.ts';
import { FILE_QUIET_MS } from '../store/limits.ts';
import { checkReferences, type Rejected } from './check-references.ts';

export interface CheckResult {
  /** In order of file, line and column. */
  readonly problems: Problem[];
  /** Manifest files found, readable or not. */
  readonly files: number;
  /** Objects that a store would take. */
  readonly objects: number;
}

/** Looks at a file that is being written: after that it is told. */
const LOOKS_MAX = 5;

/**
 * Reads every manifest in the folder and below, as a peer with `--store dir:DIR` would. Files are named from `dir` on.
 *
 * @throws {AppError} `ERR_CONFIG` when there is no such folder.
 */
export async function checkManifests(dir: string): Promise<CheckResult> {
  const { objects, rejected, problems, files } = await readManifests(dir);
  const all = [...problems, ...checkReferences(objects, rejected)];
  return { problems: all.sort(compareProblems), files, objects: objects.length };
}

/** What stands in a folder, as far as it can be read. */
export interface ReadManifests {
  readonly objects: readonly ManifestObject[];
  readonly rejected: readonly Rejected[];
  readonly problems: readonly Problem[];
  readonly files: number;
  /** Whether every document was read: false when some object may be there that is not among these. */
  readonly complete: boolean;
}

/** @throws {AppError} `ERR_CONFIG` when there is no such folder. */
export async function readManifests(dir: string): Promise<ReadManifests> {
  await checkManifestsThere(dir);
  const { files, unknown } = await lookAtFolder(dir);
  const problems: Problem[] = unknown.map(({ path, reason }) =>
    unreadProblem(join(dir, path), `the folder was not read as a whole: ${reason}`),
  );
  const objects: ManifestObject[] = [];
  const rejected: Rejected[] = [];
  let complete = unknown.length === 0;
  for (const look of files) {
    const path = join(dir, look.path);
    const read = await readAtRest(dir, look);
    if (!('text' in read)) {
      complete = false;
      problems.push(
        unreadProblem(path, 'unreadable' in read ? `cannot be read: ${read.unreadable}` : 'keeps changing'),
      );
      continue;
    }
    const parsed = parseManifestFile({ path, text: read.text });
    complete &&= parsed.complete;
    objects.push(...parsed.objects);
    rejected.push(...parsed.rejected);
    problems.push(...parsed.problems);
  }
  return { objects, rejected, problems, files: files.length, complete };
}

/**
 * `json`: a list of problems. `text`: a line for each, `file:line:col: error: Kind ns/name field: message. Fix: what to do.`;
 * the empty string when there is none.
 */
export function formatProblems(problems: readonly Problem[], { output }: { readonly output: 'text' | 'json' }): string {
  if (output === 'json') return JSON.stringify(problems, null, 2);
  return problems.map(formatProblem).join('\n');
}

function formatProblem({ file, line, column, object, field, message, fix, severity }: Problem): string {
  const subject = [object, field].filter((part) => part !== undefined).join(' ');
  // A file's name is the only part that has not been escaped yet.
  const place = `${file.replaceAll(/\p{Cc}/gu, '?')}:${line}:${column}`;
  const sentence = message.endsWith('?') ? message : `${message}.`;
  return `${place}: ${severity}: ${subject === '' ? '' : `${subject}: `}${sentence} Fix: ${fix}`;
}

async function readAtRest(dir: string, look: FileLook): Promise<FileText> {
  let current: FileLook | undefined = look;
  for (let looks = 1; looks <= LOOKS_MAX; looks += 1) {
    if (current?.unreadable !== undefined) return { unreadable: current.unreadable };
    const read = current === undefined ? { unreadable: 'it is gone' } : await readManifest(dir, current);
    if (!('changing' in read)) return read;
    await delay(FILE_QUIET_MS);
    current = (await lookAtFolder(dir)).files.find(({ path }) => path === look.path);
  }
  return { changing: true };
}

function unreadProblem(file: string, message: string): Problem {
  const fix = 'Make it a whole, readable file or folder, or take it away.';
  return { file, line: 1, column: 1, message, fix, severity: 'error' };
}

function compareProblems(a: Problem, b: Problem): number {
  return compareText(a.file, b.file) || a.line - b.line || a.column - b.column || compareText(a.message, b.message);
}
