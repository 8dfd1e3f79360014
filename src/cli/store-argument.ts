/** `--store dir:PATH`: the one store that is not a Kubernetes API server. */
import { AppError } from '../api/errors.ts';

/** The folder. @throws {AppError} `ERR_USAGE` */
export function parseStore(text: string): string {
  const path = /^dir:(.+)$/.exec(text)?.[1];
  if (path === undefined) {
    throw new AppError('ERR_USAGE', `--store: ${JSON.stringify(text)} is not dir:PATH`, {
      fix: 'write it like dir:./manifests',
    });
  }
  return path;
}
