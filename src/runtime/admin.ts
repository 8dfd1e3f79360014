/**
 * The admin socket: HTTP and JSON over a Unix socket that only this user can open. Whoever can open it is the
 * administrator, so there is no other credential; and no browser can be tricked into opening it.
 */
import { chmod, lstat, mkdir, stat, unlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { AppError } from '../api/errors.ts';
import { readJson, toWireError } from './admin-wire.ts';
import {
  ADMIN_BODY_BYTES_MAX,
  ADMIN_CONNECTIONS_MAX,
  ADMIN_DEADLINE_MS,
  ADMIN_REQUESTS_MAX,
  ADMIN_STALE_CHECK_MS,
  HTTP_HEAD_BYTES_MAX,
  HTTP_KEEP_ALIVE_MS,
  HTTP_REQUEST_TIMEOUT_MS,
  SOCKET_PATH_BYTES_MAX,
} from './limits.ts';
import type { Logger } from './log.ts';

export { callAdmin, type AdminCall } from './admin-client.ts';

/**
 * Answers one route. What it returns goes out as JSON; an `AppError` it throws arrives at the caller as the same error.
 *
 * @param body - the request's JSON, or undefined: for the route to parse.
 * @param signal - aborted at the deadline, and when the caller has gone.
 */
export type AdminRoute = (body: unknown, signal: AbortSignal) => Promise<unknown>;
/** By `METHOD /path`. */
export type AdminRoutes = Readonly<Record<string, AdminRoute>>;

export interface AdminOptions {
  readonly path: string;
  readonly routes: AdminRoutes;
  readonly logger: Logger;
  /** Tests lower it. */
  readonly deadlineMs?: number;
}

export interface AdminServer {
  close(): Promise<void>;
}

/**
 * Listens on a Unix socket with mode 0600, in a folder that nobody else can write. A socket that a dead process left is
 * replaced; one that answers is not.
 *
 * @throws {AppError} `ERR_LISTEN`.
 */
export async function startAdmin({
  path,
  routes,
  logger,
  deadlineMs = ADMIN_DEADLINE_MS,
}: AdminOptions): Promise<AdminServer> {
  assertPathLength(path);
  await prepareFolder(dirname(path));
  await removeStale(path);
  let requests = 0;
  const server = createServer(
    {
      maxHeaderSize: HTTP_HEAD_BYTES_MAX,
      headersTimeout: HTTP_REQUEST_TIMEOUT_MS,
      requestTimeout: HTTP_REQUEST_TIMEOUT_MS,
      keepAliveTimeout: HTTP_KEEP_ALIVE_MS,
      connectionsCheckingInterval: HTTP_REQUEST_TIMEOUT_MS,
    },
    (request, response) => {
      requests++;
      const isAdmitted = requests <= ADMIN_REQUESTS_MAX;
      void respond({ request, response, routes, logger, deadlineMs, isAdmitted }).finally(() => requests--);
    },
  );
  server.maxConnections = ADMIN_CONNECTIONS_MAX;
  await listenPrivately(server, path);
  server.on('error', (err) => logger.error({ err }, 'Admin server failed'));
  return {
    // Closing the server removes the socket from its folder.
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function assertPathLength(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= SOCKET_PATH_BYTES_MAX) return;
  throw listenError(path, `${bytes} bytes are too long for a Unix socket, which may have ${SOCKET_PATH_BYTES_MAX}`, {
    fix: 'set admin to a shorter path, for example below $XDG_RUNTIME_DIR',
  });
}

/** Whoever can write the folder could put a socket of theirs in the place of ours. */
async function prepareFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw listenError(folder, 'is not a folder that can be made', {
      cause,
      fix: 'set admin to a path in a folder of this user',
    });
  }
  const { mode } = await stat(folder);
  if ((mode & 0o022) === 0) return;
  throw listenError(folder, 'others can write this folder', {
    fix: `chmod 700 ${folder}, or set admin to a path in a private folder`,
  });
}

async function removeStale(path: string): Promise<void> {
  let present;
  try {
    present = await lstat(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw listenError(path, 'cannot be looked at', { cause: error });
  }
  if (!present.isSocket())
    throw listenError(path, 'is there and is not a socket', { fix: 'remove it, or set admin to another path' });
  if (await isAnswering(path)) {
    throw listenError(path, 'another process serves it', {
      fix: 'stop that process, or give this one its own --state',
    });
  }
  await unlink(path);
}

function isAnswering(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path, timeout: ADMIN_STALE_CHECK_MS });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    // A full queue of connections is somebody who is busy, not somebody who is dead.
    socket.once('error', (error: NodeJS.ErrnoException) =>
      settle(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
    socket.once('timeout', () => settle(true));
  });
}

/** The mask holds while the socket is made: there is no moment in which others could open it. */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(listenError(path, cause.code ?? cause.message, { cause })),
      );
      // The socket is bound inside this call; only the event comes later.
      server.listen({ path }, resolve);
      process.umask(mask);
    });
  } finally {
    process.umask(mask);
  }
  await chmod(path, 0o600);
}

function listenError(path: string, what: string, more: { readonly cause?: unknown; readonly fix?: string }): AppError {
  return new AppError('ERR_LISTEN', `admin socket ${path}: ${what}`, { fix: 'set admin to another path', ...more });
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly routes: AdminRoutes;
  readonly logger: Logger;
  readonly deadlineMs: number;
  readonly isAdmitted: boolean;
}

async function respond(exchange: Exchange): Promise<void> {
  const { request, response, logger, deadlineMs } = exchange;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const deadline = AbortSignal.timeout(deadlineMs);
  let status = 200;
  let body: unknown;
  try {
    body = (await answerOf(exchange, { deadline, signal: AbortSignal.any([deadline, gone.signal]) })) ?? null;
  } catch (error) {
    if (!(error instanceof AppError)) logger.error({ err: error, route: request.url }, 'Admin request failed');
    ({ status, body } = toWireError(error));
  }
  if (response.destroyed) return;
  const text = JSON.stringify(body);
  const isRead = request.complete;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    // What is left of a body that was refused is not read.
    ...(isRead ? {} : { connection: 'close' }),
  });
  response.end(text);
}

async function answerOf(
  { request, routes, deadlineMs, isAdmitted }: Exchange,
  { deadline, signal }: { readonly deadline: AbortSignal; readonly signal: AbortSignal },
): Promise<unknown> {
  if (!isAdmitted) {
    throw new AppError('ERR_BOUND_EXCEEDED', `admin socket: ${ADMIN_REQUESTS_MAX} requests are under way`, {
      retryable: true,
      fix: 'try again in a moment',
    });
  }
  const name = `${request.method ?? ''} ${request.url ?? ''}`;
  const route = Object.hasOwn(routes, name) ? routes[name] : undefined;
  if (route === undefined) {
    throw new AppError('ERR_NOT_FOUND', `admin socket: there is no ${JSON.stringify(name)}`, {
      fix: 'use the same version of this program on both ends',
    });
  }
  const body = await readJson(request, { bytesMax: ADMIN_BODY_BYTES_MAX, signal });
  const late = Promise.withResolvers<never>();
  const onDeadline = (): void => {
    late.reject(
      new AppError('ERR_TIMEOUT', `admin socket: ${name} took longer than ${deadlineMs} ms`, { retryable: true }),
    );
  };
  deadline.addEventListener('abort', onDeadline, { once: true });
  try {
    return await Promise.race([callRoute(route, body, signal), late.promise]);
  } finally {
    deadline.removeEventListener('abort', onDeadline);
  }
}

/** A route that throws before it has a promise rejects all the same. */
async function callRoute(route: AdminRoute, body: unknown, signal: AbortSignal): Promise<unknown> {
  return await route(body, signal);
}
