/** What the system said, as a code (`ENOENT`, `ENOSPC`) and as an error that callers can act on. */
import { AppError } from '../../api/errors.ts';

export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** `EACCES: permission denied`, without the path and the call that Node adds. */
export function describeIoError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return errorCode(error) === undefined ? error.message : (error.message.split(', ')[0] ?? error.message);
}

/** Retryable: disks fill and are emptied again, mounts come back. */
export function stateIoError(what: string, error: unknown): AppError {
  return new AppError('ERR_STATE_IO', `${what}: ${describeIoError(error)}`, {
    cause: error,
    retryable: true,
    fix: 'Look at the disk of the state folder: space, inodes, permissions. The old file is still whole.',
  });
}
