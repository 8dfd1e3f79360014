/** Replaces files of a folder one after the other, each whole, in an order that a crash or a power failure keeps. */
import { chmod, chown, lstat, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../api/errors.ts';
import { syncFolder } from '../runtime/sync-folder.ts';
import { codeOf } from './error-code.ts';

export interface Step {
  readonly file: 'key.pem' | 'cert.pem' | 'ca.pem' | 'request.pem' | 'crl.pem';
  readonly text: string;
}

/** While it is there somebody replaces files; what a killed process leaves. */
const DRAFTS = '.clusterlink-mcs-renewal';

/**
 * All new files are on the disk, under other names, before the first takes its place: a disk that is full changes nothing. Each
 * keeps the owner and the mode of the one that it replaces, since a service may read what root renews.
 *
 * @param planned - or how they are made of the files that are there: nobody else replaces them meanwhile.
 * @throws {AppError} `ERR_ALREADY_EXISTS` while another replacement is under way, or where one was killed.
 */
export async function replaceFiles(
  directory: string,
  planned: readonly Step[] | (() => Promise<readonly Step[]>),
): Promise<void> {
  const drafts = join(directory, DRAFTS);
  await claim(drafts);
  try {
    const steps = typeof planned === 'function' ? await planned() : planned;
    for (const [index, step] of steps.entries()) await writeDraft({ directory, step, draft: draftOf(drafts, index) });
    for (const [index, { file }] of steps.entries()) {
      await rename(draftOf(drafts, index), join(directory, file));
      // Names reach the disk in the order of the steps.
      await syncFolder(directory);
    }
  } finally {
    await rm(drafts, { recursive: true, force: true });
  }
}

function draftOf(drafts: string, index: number): string {
  return join(drafts, String(index));
}

async function claim(drafts: string): Promise<void> {
  try {
    await mkdir(drafts, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    throw new AppError('ERR_ALREADY_EXISTS', `${drafts}: another command replaces files here`, {
      cause: error,
      fix: 'wait for it; if there is none it was killed: remove that folder',
    });
  }
}

async function writeDraft(options: {
  readonly directory: string;
  readonly step: Step;
  readonly draft: string;
}): Promise<void> {
  const { directory, step, draft } = options;
  const isKey = step.file === 'key.pem';
  await writeFile(draft, step.text, { flag: 'wx', mode: isKey ? 0o600 : 0o644, flush: true });
  const present = await statOf(join(directory, step.file));
  if (present === undefined) return;
  // A key is never readable by others, whatever the old one was.
  await chmod(draft, present.mode & (isKey ? 0o640 : 0o777));
  if (present.uid !== process.getuid?.() || present.gid !== process.getgid?.()) {
    await chown(draft, present.uid, present.gid);
  }
}

async function statOf(
  path: string,
): Promise<{ readonly mode: number; readonly uid: number; readonly gid: number } | undefined> {
  try {
    const stat = await lstat(path);
    if (stat.isFile()) return stat;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  // What a link leads to belongs to whoever made the link, such as the kubelet.
  throw new AppError('ERR_CERTIFICATE', `${path}: is not a file of its own`, {
    fix: 'renew the files that it leads to, where they are kept',
  });
}
