/**
 * Objects of one machine: the user's manifests in one folder, everything of ours in another.
 *
 *     manifests folder --look, read, parse--> declarations --declare/withdraw--> engine --save--> state folder
 *       (only read)                                                     ^                           (ours)
 *                                              apply, applyStatus, delete of our components
 *
 * Hints of the kernel only bring the next scan forward; a scan compares the whole folder with the whole store.
 */
import { randomUUID } from 'node:crypto';
import { AppError } from '../../api/errors.ts';
import { findRefusals } from '../../api/validation/validate.ts';
import { makeEngine } from '../engine.ts';
import { USER_MANAGER } from '../stored-object.ts';
import type { ApplyOptions, Store } from '../store.ts';
import { checkFoldersApart, checkManifestsThere } from './folder-checks.ts';
import { followManifests, type FollowOptions, type ManifestFollower } from './manifest-follower.ts';
import { loadStateFiles, makeStateFiles } from './state-files.ts';
import { openStateFolder } from './state-folder.ts';

/** `manifests` is the user's folder: *.yaml, *.yml and *.json in it and below; never written. */
export interface DirectoryStoreOptions extends FollowOptions {
  /** Our folder: created if absent (mode 0700), one process at a time. Must lie outside the manifests folder. */
  readonly state: string;
  /** Wall clock, for creation timestamps. */
  readonly nowMs?: () => number;
  readonly uid?: () => string;
}

/** A store, and what is wrong with the manifests now, by file and line; whatever is not wrong is in force. */
export interface DirectoryStore extends Store, Pick<ManifestFollower, 'problems' | 'onProblems' | 'acceptLoss'> {}

/**
 * Resolves when the manifests have been read once.
 *
 * @throws {AppError} `ERR_CONFIG` (folders), `ERR_STATE_LOCKED`, `ERR_STATE_SCHEMA`, `ERR_STATE_IO`.
 */
export async function openDirectoryStore(options: DirectoryStoreOptions): Promise<DirectoryStore> {
  const { manifests, state, logger, nowMs = Date.now, uid = randomUUID } = options;
  await checkFoldersApart(manifests, state);
  const lock = await openStateFolder(state);
  try {
    const loaded = await loadStateFiles({ state, validate: findRefusals, logger });
    // A folder that declared something before may be mounted later; until then the last state is served.
    if (loaded.length === 0) await checkManifestsThere(manifests);
    const engine = makeEngine({ validate: findRefusals, persistence: makeStateFiles(state), nowMs, uid, loaded });
    const follower = await followManifests(engine, options);
    return {
      get: (kind, key) => engine.get(kind, key),
      list: (kind) => engine.list(kind),
      watch: (kind, observer) => engine.watch(kind, observer),
      delete: (kind, key, deleteOptions) => engine.delete(kind, key, deleteOptions),
      apply: (object, applyOptions) => refuseUser(applyOptions) ?? engine.apply(object, applyOptions),
      applyStatus: (object, applyOptions) => refuseUser(applyOptions) ?? engine.applyStatus(object, applyOptions),
      problems: () => follower.problems(),
      onProblems: (listener) => follower.onProblems(listener),
      acceptLoss: () => follower.acceptLoss(),
      async close() {
        await follower.close();
        await engine.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** What the user owns is said by manifests, or nobody could tell the two apart. */
function refuseUser({ fieldManager }: ApplyOptions): Promise<never> | undefined {
  if (fieldManager !== USER_MANAGER) return undefined;
  return Promise.reject(
    new AppError('ERR_INVALID_OBJECT', `field manager ${USER_MANAGER}: it stands for the manifests`, {
      fix: 'Apply under a name of this product.',
    }),
  );
}
