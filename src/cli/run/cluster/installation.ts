/**
 * Which installation this is, for peers to tell a restart from a double: the uid of the system namespace, on which all replicas
 * agree. The cache of namespaces has it, and what that one keeps in the state folder lets a gateway restart while the API server is
 * away, without a question that nobody answers.
 */
import { SYSTEM_NAMESPACE } from '../../../api/names.ts';
import type { Logger } from '../../../runtime/log.ts';
import type { CachesOf } from '../../../store/caches.ts';
import { whenListed } from './part.ts';

const KEY = { namespace: '', name: SYSTEM_NAMESPACE };

/** Resolves when the uid is known; rejects with the signal's reason when that comes first. */
export async function whenInstalled(options: {
  readonly caches: CachesOf<'Namespace'>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}): Promise<string> {
  const { caches, logger, signal } = options;
  await whenListed([caches.Namespace], signal);
  const uid = caches.Namespace.get(KEY)?.metadata?.uid;
  if (uid !== undefined) return uid;
  logger.warn({ namespace: SYSTEM_NAMESPACE }, 'Namespace of this installation is missing');
  return new Promise((resolve, reject) => {
    const stop = caches.Namespace.onChange(() => {
      const now = caches.Namespace.get(KEY)?.metadata?.uid;
      if (now === undefined) return;
      stop();
      resolve(now);
    });
    signal.addEventListener(
      'abort',
      () => {
        stop();
        reject(signal.reason as Error);
      },
      { once: true },
    );
  });
}
