/** A clock that can be set wrong for one process while it runs, by Debian's libfaketime; what the process measures stays true. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LIBRARY_FOLDERS = ['/usr/lib', '/usr/lib64'];
const LIBRARY = 'faketime/libfaketimeMT.so.1';

export interface WrongClock {
  /** For the process, before it starts. */
  readonly environment: Readonly<Record<string, string>>;
  /** From now on: how far its clock is off. */
  set(offsetSeconds: number): void;
}

/** undefined where the library is not installed. */
export function findFaketime(): string | undefined {
  // Debian has a folder for each architecture.
  const folders = LIBRARY_FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) => [
    folder,
    ...readdirSync(folder).map((name) => join(folder, name)),
  ]);
  return folders.map((folder) => join(folder, LIBRARY)).find((path) => existsSync(path));
}

export function makeWrongClock({ library, file }: { readonly library: string; readonly file: string }): WrongClock {
  const set = (offsetSeconds: number): void => {
    writeFileSync(file, `${offsetSeconds < 0 ? '' : '+'}${offsetSeconds}s\n`);
  };
  set(0);
  return {
    environment: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      // A process that is killed would leave it behind.
      FAKETIME_DISABLE_SHM: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    set,
  };
}
