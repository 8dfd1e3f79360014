/** What replaced files whole need in order to last. */
import { open } from 'node:fs/promises';

/** A new or removed name lasts only once its folder is on the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
