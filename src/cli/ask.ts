/** How commands reach a running peer: by the admin socket in its state folder, or where its configuration has it. */
import { join } from 'node:path';
import { Option } from 'commander';
import { callAdmin } from '../runtime/admin.ts';

const ADMIN_TIMEOUT_MS = 30_000;

/** Which running peer is asked. */
export interface RunningPeer {
  readonly state: string;
  /** Of a peer whose configuration has `admin`. */
  readonly admin?: string;
}

export function adminOption(): Option {
  return new Option('--admin <PATH>', 'admin socket, if it is not in the state folder').env('CLUSTERLINK_MCS_ADMIN');
}

/**
 * @param route - `METHOD /path`
 * @throws {AppError} as `callAdmin`.
 */
export function askPeer(
  { state, admin }: RunningPeer,
  route: `${'GET' | 'POST'} ${string}`,
  body?: unknown,
): Promise<unknown> {
  const [method = 'GET', path = '/'] = route.split(' ');
  return callAdmin({
    path: admin ?? join(state, 'admin.sock'),
    method,
    route: path,
    body,
    timeoutMs: ADMIN_TIMEOUT_MS,
  });
}
