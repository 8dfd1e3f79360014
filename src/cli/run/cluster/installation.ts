/**
 * Which installation this is, for peers to tell a restart from a double: the uid of the system namespace, on which all replicas
 * agree. Kept in the state folder too, so that a gateway restarts while the API server is away.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { formatError } from '../../../api/errors.ts';
import { SYSTEM_NAMESPACE } from '../../../api/names.ts';
import type { Logger } from '../../../runtime/log.ts';
import type { Store } from '../../../store/store.ts';
import { readJsonFile, writeJsonFile } from '../state-file.ts';

const shape = v.object({ uid: v.pipe(v.string(), v.uuid()) });
const RETRY_MS = 2_000;

/** Resolves when the uid is known; rejects with the signal's reason when that comes first. */
export async function whenInstalled(options: {
  readonly store: Store;
  readonly state: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}): Promise<string> {
  const { store, state, logger, signal } = options;
  const file = join(state, 'installation.json');
  await mkdir(state, { recursive: true, mode: 0o700 });
  for (;;) {
    const uid = await readNamespace(store, logger);
    if (uid !== undefined) {
      await writeJsonFile(file, { uid });
      return uid;
    }
    const kept = v.safeParse(shape, await readJsonFile(file));
    if (kept.success) return kept.output.uid;
    await sleep(RETRY_MS, undefined, { signal });
  }
}

async function readNamespace(store: Store, logger: Logger): Promise<string | undefined> {
  try {
    const namespace = await store.get('Namespace', { namespace: '', name: SYSTEM_NAMESPACE });
    if (namespace === undefined)
      logger.warn({ namespace: SYSTEM_NAMESPACE }, 'Namespace of this installation is missing');
    return namespace?.metadata?.uid;
  } catch (error) {
    logger.warn({ error: formatError(error) }, 'Namespace of this installation cannot be read yet');
    return undefined;
  }
}
