/** The root folder as a docker-archive: what `docker load`, `podman load`, `ctr images import` and kind take. */
import { createHash } from 'node:crypto';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PROGRAM, USER_ID } from './rootfs.ts';
import { toTar, type TarEntry } from './tar.ts';

export interface ArchiveOptions {
  readonly rootfs: string;
  /** The file to write. */
  readonly out: string;
  /** `name:tag` each. */
  readonly tags: readonly string[];
  readonly version: string;
}

/** Gives the digest of the image (of its configuration): the same folder gives the same. */
export async function writeArchive({ rootfs, out, tags, version }: ArchiveOptions): Promise<string> {
  const layer = toTar(await readEntries(rootfs, ''));
  const config = toJson({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      User: `${USER_ID}:${USER_ID}`,
      Entrypoint: ['/bin/node', PROGRAM],
      Env: ['PATH=/bin', 'NODE_ENV=production'],
      WorkingDir: '/',
      Labels: { 'org.opencontainers.image.title': 'clusterlink-mcs', 'org.opencontainers.image.version': version },
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digestOf(layer)}`] },
  });
  const manifest = toJson([{ Config: 'config.json', RepoTags: tags, Layers: ['layer.tar'] }]);
  const archive = toTar([
    { path: 'config.json', mode: 0o444, content: config },
    { path: 'layer.tar', mode: 0o444, content: Buffer.concat(layer) },
    { path: 'manifest.json', mode: 0o444, content: manifest },
  ]);
  const file = await open(out, 'w', 0o644);
  try {
    for (const piece of archive) await file.writeFile(piece);
  } finally {
    await file.close();
  }
  return digestOf([config]);
}

async function readEntries(root: string, folder: string): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    const mode = (await stat(join(root, path))).mode & 0o7777;
    if (entry.isDirectory()) entries.push({ path, mode }, ...(await readEntries(root, path)));
    else entries.push({ path, mode, content: await readFile(join(root, path)) });
  }
  return entries;
}

function toJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function digestOf(pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}
