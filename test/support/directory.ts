/** A manifests folder and a state folder of a test, and the stores opened on them. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openDirectoryStore, type DirectoryStore } from '#src/store/directory/store.ts';
import type { DirectoryStoreOptions } from '#src/store/directory/store.ts';

import type { Applied } from '#src/api/applied.ts';

const WAIT_MS = 8_000;
const POLL_MS = 10;

export interface TestFolders extends AsyncDisposable {
  readonly root: string;
  readonly manifests: string;
  readonly state: string;
  /** Messages of the log, newest last. */
  readonly log: readonly string[];
  open(options?: Partial<DirectoryStoreOptions>): Promise<DirectoryStore>;
  /** Writes a manifest the careful way: whole, then renamed into place. */
  put(path: string, text: string): Promise<void>;
  /** Writes a manifest the careless way: in place. */
  overwrite(path: string, text: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Every path of the manifests folder with its size and modification time. */
  fingerprint(): Promise<readonly string[]>;
}

export async function makeTestFolders(): Promise<TestFolders> {
  const root = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-store-'));
  const manifests = join(root, 'manifests');
  const state = join(root, 'state');
  await mkdir(manifests);
  const log: string[] = [];
  const note = (_: object, message: string): void => void log.push(message);
  const logger = { info: note, warn: note };
  const opened: DirectoryStore[] = [];
  return {
    root,
    manifests,
    state,
    log,
    async open(options) {
      const store = await openDirectoryStore({ manifests, state, logger, ...options });
      opened.push(store);
      return store;
    },
    async put(path, text) {
      await mkdir(dirname(join(manifests, path)), { recursive: true });
      const aside = join(root, `aside-${Math.random()}`);
      await writeFile(aside, text);
      await rename(aside, join(manifests, path));
    },
    overwrite: (path, text) => writeFile(join(manifests, path), text),
    remove: (path) => rm(join(manifests, path), { recursive: true }),
    async fingerprint() {
      const entries = await readdir(manifests, { recursive: true });
      return Promise.all(
        entries.sort().map(async (entry) => {
          const { size, mtimeMs } = await stat(join(manifests, entry));
          return `${entry} ${size} ${mtimeMs}`;
        }),
      );
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((store) => store.close()));
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Waits until a look gives anything but false or undefined, and gives that. */
export async function eventually<T>(what: string, look: () => T | Promise<T>): Promise<NonNullable<T>> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() > deadline) assert.fail(`not within ${WAIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** One document of a ServiceExport in namespace `shop`. */
export function exportDocument(name: string, team: string): string {
  return [
    'apiVersion: multicluster.x-k8s.io/v1beta1',
    'kind: ServiceExport',
    `metadata: { namespace: shop, name: ${name} }`,
    `spec: { exportedLabels: { team: ${team} } }`,
    '',
  ].join('\n');
}

/** A policy in namespace `shop`; unlike those of services, its name may have 253 characters. */
export function allowAll(name: string): Applied<'AccessPolicy'> {
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { namespace: 'shop', name },
    spec: { action: 'allow', from: [{ workloadSelector: {} }], to: [{ workloadSelector: {} }] },
  };
}

/** The text of every state file of a kind's folder, by its path below `objects/`. */
export async function stateFiles(state: string): Promise<ReadonlyMap<string, string>> {
  const objects = join(state, 'objects');
  const entries = await readdir(objects, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(
    files.map(async (path) => [path.slice(objects.length + 1), await readFile(path, 'utf8')] as const),
  );
  return new Map(texts);
}
