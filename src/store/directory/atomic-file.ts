/** Files that are there whole or not at all, also after a crash or a power failure. */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../../runtime/sync-folder.ts';

/** What a crash in the middle of a write leaves behind; a dot file, so that no scan takes it for a manifest. */
export const TEMPORARY_PREFIX = '.clusterlink-mcs-tmp-';

/** Puts the text in place of whatever is there; a failure leaves the old file whole. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  await viaTemporary(path, { text, mode }, (temporary) => rename(temporary, path));
}

/** @throws `EEXIST` when there is such a file already; it is never touched. */
export async function createFile(path: string, text: string, mode: number): Promise<void> {
  await viaTemporary(path, { text, mode }, async (temporary) => {
    await link(temporary, path);
    await unlink(temporary);
  });
}

export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncFolder(dirname(path));
}

/** Creates a folder and those above it, durably. */
export async function ensureFolder(path: string, mode: number): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let folder = path; folder !== dirname(first); folder = dirname(folder)) await syncFolder(dirname(folder));
}

/** The text reaches the disk before the name does: a name never points to half a file. */
async function viaTemporary(
  path: string,
  { text, mode }: { readonly text: string; readonly mode: number },
  putInPlace: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = join(dirname(path), `${TEMPORARY_PREFIX}${randomUUID()}`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await putInPlace(temporary);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}
