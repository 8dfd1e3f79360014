/** A small disk that can be filled: a tmpfs, which only root can mount. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

const DISK_SIZE = '16m';
const FILLER = 'filler';

export interface SmallDisk {
  fill(): void;
  free(): void;
  close(): void;
}

/** undefined where this process may not mount. */
export async function mountSmallDisk(folder: string): Promise<SmallDisk | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  await mkdir(folder, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_SIZE},mode=0700`, 'clusterlink-mcs-chaos', folder], {
      stdio: 'pipe',
    });
  } catch {
    return undefined;
  }
  const filler = join(folder, FILLER);
  return {
    fill() {
      const file = openSync(filler, 'w');
      try {
        for (const piece of [Buffer.alloc(64 * 1024), Buffer.alloc(1)]) {
          try {
            for (;;) writeSync(file, piece);
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          }
        }
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(filler, { force: true }),
    // Lazily: what a killed process still holds must not keep the folder.
    close: () => void execFileSync('umount', ['--lazy', folder], { stdio: 'pipe' }),
  };
}
