/** Which pod this process is: what the downward API says in its environment. */
import { isIP } from 'node:net';
import { AppError } from '../../../api/errors.ts';
import { isSubdomain } from '../../../api/names.ts';

export interface OwnPod {
  readonly name: string;
  /** Where others in the cluster reach it. */
  readonly ip: string;
}

/** @throws {AppError} `ERR_CONFIG` naming the variable that is missing. */
export function readOwnPod(env: Readonly<Record<string, string | undefined>>): OwnPod {
  const { POD_NAME: name = '', POD_IP: ip = '' } = env;
  if (!isSubdomain(name)) throw missing('POD_NAME', 'metadata.name');
  if (isIP(ip) === 0) throw missing('POD_IP', 'status.podIP');
  return { name, ip };
}

function missing(variable: string, field: string): AppError {
  return new AppError('ERR_CONFIG', `${variable}: is not what a pod of this product has in its environment`, {
    fix: `set it from ${field} by the downward API (fieldRef), as the manifests do`,
  });
}
