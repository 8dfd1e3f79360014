/** Asks a running process over its admin socket. */
import { request, type IncomingMessage } from 'node:http';
import { AppError } from '../api/errors.ts';
import { fromWireError, readJson } from './admin-wire.ts';
import { ADMIN_ANSWER_BYTES_MAX } from './limits.ts';

export interface AdminCall {
  /** Of the socket. */
  readonly path: string;
  readonly method: string;
  /** For example `/status`. */
  readonly route: string;
  readonly body?: unknown;
  readonly timeoutMs: number;
}

/**
 * @returns the answer's JSON: for the caller to parse.
 * @throws {AppError} what the process threw; `ERR_ADMIN_UNREACHABLE` when nobody listens; `ERR_TIMEOUT`; `ERR_MALFORMED`.
 */
export async function callAdmin({ path, method, route, body, timeoutMs }: AdminCall): Promise<unknown> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await send({ path, method, route, body, signal });
    const parsed = await readJson(answer, { bytesMax: ADMIN_ANSWER_BYTES_MAX, signal });
    const status = answer.statusCode ?? 0;
    if (status !== 200) throw fromWireError(parsed, status);
    return parsed;
  } catch (cause) {
    if (signal.aborted) {
      throw new AppError('ERR_TIMEOUT', `admin socket ${path}: no answer in ${timeoutMs} ms`, {
        cause,
        retryable: true,
        fix: "see the process's log for what keeps it busy",
      });
    }
    throw cause instanceof AppError ? cause : unreachable(path, cause);
  }
}

function send(call: Omit<AdminCall, 'timeoutMs'> & { readonly signal: AbortSignal }): Promise<IncomingMessage> {
  const { path, method, route, body, signal } = call;
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    // No pool: a command asks once, and an idle connection would keep it from ending.
    const sent = request({ socketPath: path, method, path: route, headers, signal, agent: false }, resolve);
    sent.once('error', reject);
    sent.end(text);
  });
}

function unreachable(path: string, cause: unknown): AppError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
  const [what, fix] =
    code === 'EACCES'
      ? ['belongs to another user', 'run this command as the user that runs the peer']
      : [
          `nobody answers (${code})`,
          'start the peer with "npx clusterlink-mcs run", or name the state folder of the one that runs with --state',
        ];
  return new AppError('ERR_ADMIN_UNREACHABLE', `admin socket ${path}: ${what}`, { cause, fix });
}
