/**
 * Hints of the kernel that something in a set of folders has changed.
 *
 * One watch for each folder, not a recursive one: it follows links, needs no watch for every file, and the scan knows
 * the folders anyway. A hint says only "look again".
 */
import { watch, type FSWatcher } from 'node:fs';
import { describeIoError } from './io-error.ts';

export interface Hints {
  /** Watches these folders and no others. The answer says whether a watch is new: what came before it made no hint. */
  follow(folders: readonly { readonly path: string; readonly identity: string }[]): boolean;
  /** Why some folder has no watch; undefined while all have one. */
  readonly failure: string | undefined;
  close(): void;
}

/** `node:fs` watch, or a test's. */
export type WatchFolder = (path: string, onHint: () => void) => Pick<FSWatcher, 'close' | 'on'>;

const watchFolder: WatchFolder = (path, onHint) => watch(path, { persistent: true }, onHint);

export function makeHints(onHint: () => void, watchOne: WatchFolder = watchFolder): Hints {
  const watchers = new Map<string, { readonly identity: string; close(): void }>();
  let failure: string | undefined;

  function drop(path: string): void {
    watchers.get(path)?.close();
    watchers.delete(path);
  }

  function add(path: string, identity: string): void {
    const watcher = watchOne(path, onHint);
    watchers.set(path, { identity, close: () => watcher.close() });
    watcher.on('error', (error) => {
      failure = describeIoError(error);
      drop(path);
      onHint();
    });
  }

  return {
    follow(folders) {
      const identityByPath = new Map(folders.map(({ path, identity }) => [path, identity]));
      for (const [path, { identity }] of watchers) if (identityByPath.get(path) !== identity) drop(path);
      let isAnyNew = false;
      failure = undefined;
      for (const [path, identity] of identityByPath) {
        if (watchers.has(path)) continue;
        try {
          add(path, identity);
          isAnyNew = true;
        } catch (error) {
          failure = describeIoError(error);
        }
      }
      return isAnyNew;
    },
    get failure() {
      return failure;
    },
    close() {
      for (const path of [...watchers.keys()]) drop(path);
    },
  };
}
