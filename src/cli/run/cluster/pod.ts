/** Which pod this process is: what the downward API says in its environment. */
import { isIP } from 'node:net';
import { AppError } from '../../../api/errors.ts';
import { isSubdomain } from '../../../api/names.ts';

export interface OwnPod {
  readonly name: string;
  /** Where others in the cluster reach it; one of each family in a dual-stack cluster, the first is the cluster's own. */
  readonly ips: readonly string[];
}

/** @throws {AppError} `ERR_CONFIG` naming the variable that is missing. */
export function readOwnPod(env: Readonly<Record<string, string | undefined>>): OwnPod {
  const { POD_NAME: name = '', POD_IP: ip = '', POD_IPS: all = '' } = env;
  if (!isSubdomain(name)) throw missing('POD_NAME', 'metadata.name');
  if (isIP(ip) === 0) throw missing('POD_IP', 'status.podIP');
  const others = all.split(',').filter((text) => isIP(text) !== 0);
  return { name, ips: [...new Set([ip, ...others])] };
}

function missing(variable: string, field: string): AppError {
  return new AppError('ERR_CONFIG', `${variable}: is not what a pod of this product has in its environment`, {
    fix: `set it from ${field} by the downward API (fieldRef), as the manifests do`,
  });
}
