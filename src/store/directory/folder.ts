/** The user's manifests folder, as far as looking goes: which files are there and what their times say. Never writes. */
import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { compareText } from '../../api/object.ts';
import {
  FOLDER_DEPTH_MAX,
  FOLDER_ENTRIES_MAX,
  FOLDERS_MAX,
  MANIFEST_BYTES_MAX,
  MANIFEST_FILES_MAX,
  PARALLEL_FILES_MAX,
} from '../limits.ts';
import { makeGate, mapGated } from './gate.ts';
import { describeIoError, errorCode } from './io-error.ts';

export interface FileLook {
  /** Relative to the folder, with '/'. */
  readonly path: string;
  /** Changes whenever the file does (on file systems with fine times); undefined when the file cannot be read. */
  readonly signature?: string;
  readonly modifiedMs?: number;
  /** Why it cannot be read. */
  readonly unreadable?: string;
}

export interface FolderLook {
  /** By path. */
  readonly files: readonly FileLook[];
  /** Every folder that was looked into, with what tells it from another of that name. */
  readonly folders: readonly { readonly path: string; readonly identity: string }[];
  /** Folders (relative, '' is all) about whose files nothing is known, and why. */
  readonly unknown: readonly { readonly path: string; readonly reason: string }[];
}

/** The text of a file, or why there is none. */
export type FileText = { readonly text: string } | { readonly unreadable: string } | { readonly changing: true };

const MANIFEST_NAME = /\.(?:ya?ml|json)$/i;
const gate = makeGate(PARALLEL_FILES_MAX);

export async function lookAtFolder(root: string): Promise<FolderLook> {
  const found = {
    files: [] as FileLook[],
    folders: [] as { path: string; identity: string }[],
    unknown: [] as { path: string; reason: string }[],
  };
  const visited = new Set<string>();
  let entriesLeft = FOLDER_ENTRIES_MAX;

  async function walk(path: string, depth: number): Promise<void> {
    const names = await namesIn(path, depth);
    if (names === undefined) return;
    const looks = await mapGated(gate, names, (name) => lookAt(root, path === '' ? name : `${path}/${name}`));
    for (const look of looks) {
      if (look === undefined) continue;
      if ('subfolder' in look) await walk(look.subfolder, depth + 1);
      else found.files.push(look);
    }
  }

  async function namesIn(path: string, depth: number): Promise<string[] | undefined> {
    try {
      const stats = await stat(join(root, path), { bigint: true });
      const identity = `${stats.dev}:${stats.ino}`;
      // Links may lead here again: the first path, in order, counts.
      if (visited.has(identity)) return undefined;
      if (depth > FOLDER_DEPTH_MAX) throw new Error(`more than ${FOLDER_DEPTH_MAX} folders deep`);
      if (found.folders.length >= FOLDERS_MAX) throw new Error(`more than ${FOLDERS_MAX} folders`);
      visited.add(identity);
      const names = (await readdir(join(root, path))).filter((name) => !name.startsWith('.')).sort(compareText);
      if (names.length > entriesLeft) throw new Error(`more than ${FOLDER_ENTRIES_MAX} entries in all`);
      entriesLeft -= names.length;
      found.folders.push({ path: join(root, path), identity });
      return names;
    } catch (error) {
      found.unknown.push({ path, reason: describeIoError(error) });
      return undefined;
    }
  }

  await walk('', 0);
  const files = found.files.sort((a, b) => compareText(a.path, b.path));
  const isTooMany = files.length > MANIFEST_FILES_MAX;
  if (isTooMany) found.unknown.push({ path: '', reason: `more than ${MANIFEST_FILES_MAX} manifest files` });
  return { ...found, files: files.slice(0, MANIFEST_FILES_MAX) };
}

/** Undefined for what is no manifest, or is gone again. */
async function lookAt(root: string, path: string): Promise<FileLook | { readonly subfolder: string } | undefined> {
  const isManifest = MANIFEST_NAME.test(path);
  try {
    const stats = await stat(join(root, path), { bigint: true });
    if (!isManifest) return stats.isDirectory() ? { subfolder: path } : undefined;
    if (!stats.isFile()) return { path, unreadable: 'it has the name of a manifest but is not a file' };
    if (stats.size > BigInt(MANIFEST_BYTES_MAX)) return { path, unreadable: tooLarge };
    return { path, signature: signatureOf(stats), modifiedMs: Number(stats.mtimeMs) };
  } catch (error) {
    if (!isManifest) return undefined;
    if (errorCode(error) !== 'ENOENT') return { path, unreadable: describeIoError(error) };
    const isDangling = await lstat(join(root, path)).then(
      () => true,
      () => false,
    );
    return isDangling ? { path, unreadable: 'a link that leads nowhere' } : undefined;
  }
}

/** Reads a file that still is what a look saw, before and after the reading. */
export async function readManifest(root: string, { path, signature }: FileLook): Promise<FileText> {
  return gate.run(async () => {
    try {
      // Not blocking: a pipe that took the place of the file would wait for its writer forever.
      const file = await open(join(root, path), constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stats = await file.stat({ bigint: true });
        if (signatureOf(stats) !== signature) return { changing: true };
        const bytes = await readBytes(file, Number(stats.size));
        if (signatureOf(await file.stat({ bigint: true })) !== signature) return { changing: true };
        return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
      } finally {
        await file.close();
      }
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return { changing: true };
      return {
        unreadable: errorCode(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'not UTF-8' : describeIoError(error),
      };
    }
  });
}

/** No more than the file had: one that grows meanwhile is found out by its signature. */
async function readBytes(file: FileHandle, sizeBytes: number): Promise<Buffer> {
  const bytes = Buffer.alloc(sizeBytes);
  let filled = 0;
  while (filled < sizeBytes) {
    const { bytesRead } = await file.read(bytes, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

const tooLarge = `more than ${MANIFEST_BYTES_MAX} bytes`;

function signatureOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}
