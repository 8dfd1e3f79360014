/** Who this process is: its certificate, key and roots, followed while it runs, with their log lines and the metric of the expiry. */
import { formatError } from '../../api/errors.ts';
import { loadIdentity, type PeerIdentity } from '../../fabric/files.ts';
import { followIdentity } from '../../fabric/follow-identity.ts';
import type { Config } from '../../runtime/config.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { followExpiry } from './expiry.ts';

export interface Identity {
  current(): PeerIdentity;
  /** The result ends it. */
  onChange(listener: () => void): () => void;
  close(): void;
}

export interface IdentityOptions {
  readonly config: Pick<Config, 'fabric' | 'peer'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** @throws {AppError} as `loadIdentity`: a process does not start with files that do not do. */
export async function openIdentity({ config, logger, metrics }: IdentityOptions): Promise<Identity> {
  const files = { ...config.fabric, peer: config.peer };
  const listeners = new Set<() => void>();
  const followed = followIdentity({
    files,
    first: await loadIdentity(files),
    onChange({ notAfter }) {
      expiry.tell();
      logger.info({ expires: notAfter.toISOString() }, 'Certificate, key or roots were replaced');
      for (const listener of listeners) listener();
    },
    onProblem: (error) =>
      logger.warn(
        { error: formatError(error) },
        'Certificate, key and roots stay as they were: the new files do not do',
      ),
    onMended: () => logger.info('The files of certificate, key and roots are in order again'),
  });
  const expiry = followExpiry(() => followed.current().notAfter, metrics);
  return {
    current: () => followed.current(),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      expiry.close();
      followed.close();
    },
  };
}
