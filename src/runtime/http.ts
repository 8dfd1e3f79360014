/** Probes and metrics over plain HTTP: nothing here changes anything, and nobody hears of other clients or of queries here. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { canonicalAddress } from '../api/addresses.ts';
import { AppError } from '../api/errors.ts';
import { listenTcpAtEvery } from './every-address.ts';
import { boundFairly } from './fair-connections.ts';
import type { Health } from './health.ts';
import { formatHostPort, type HostPort } from './host-port.ts';
import { HTTP_CONNECTIONS_MAX, HTTP_HEAD_BYTES_MAX, HTTP_KEEP_ALIVE_MS, HTTP_REQUEST_TIMEOUT_MS } from './limits.ts';
import type { Logger } from './log.ts';

export interface HttpOptions {
  /** Port 0 takes a free one; `::` is every address of this machine, of IPv4 too. */
  readonly listen: HostPort;
  readonly health: Health;
  readonly metrics: Exposition;
  readonly logger: Logger;
  /** What `/client` answers to a caller who is seen with this address (canonical), as JSON. Absent: 404. */
  readonly describeCaller?: (address: string) => object;
}

/** The metrics of a process as text. */
export interface Exposition {
  readonly contentType: string;
  expose(): Promise<string>;
}

export interface HttpServer {
  readonly address: HostPort;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Serves `/livez` (200 while the process turns), `/readyz` (200, or 503 with one line for each thing that is missing;
 * `?verbose` lists all), `/metrics`, and `/client` where callers are told how they are seen.
 *
 * @throws {AppError} `ERR_LISTEN` when the address cannot be had.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const server = createServer(
    {
      maxHeaderSize: HTTP_HEAD_BYTES_MAX,
      headersTimeout: HTTP_REQUEST_TIMEOUT_MS,
      requestTimeout: HTTP_REQUEST_TIMEOUT_MS,
      keepAliveTimeout: HTTP_KEEP_ALIVE_MS,
      connectionsCheckingInterval: HTTP_REQUEST_TIMEOUT_MS,
    },
    (request, response) => void respond(request, response, options),
  );
  boundFairly(server, HTTP_CONNECTIONS_MAX);
  const address = await listen(server, options.listen);
  server.on('error', (err) => options.logger.error({ err }, 'HTTP server failed'));
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Resolves with the address. @throws {AppError} `ERR_LISTEN` */
async function listen(server: Server, at: HostPort): Promise<HostPort> {
  try {
    return await listenTcpAtEvery(server, at);
  } catch (cause) {
    throw listenError(at, cause as NodeJS.ErrnoException);
  }
}

function listenError(listen: HostPort, cause: NodeJS.ErrnoException): AppError {
  return new AppError('ERR_LISTEN', `metrics ${formatHostPort(listen)}: ${cause.code ?? cause.message}`, {
    cause,
    fix: 'choose another address for metrics in the configuration, or stop what listens there',
  });
}

async function respond(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  let answer: Answer;
  try {
    answer = await route(request, options);
  } catch (err) {
    options.logger.error({ err, path: request.url?.split('?')[0] }, 'HTTP request failed');
    answer = { status: 500, body: 'internal error\n' };
  }
  const { status, body, contentType = 'text/plain; charset=utf-8', headers = {} } = answer;
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function route(request: IncomingMessage, options: HttpOptions): Promise<Answer> {
  const { method, url = '/', socket } = request;
  const { health, metrics, describeCaller } = options;
  if (method !== 'GET' && method !== 'HEAD') {
    // The body, if any, is not waited for.
    return { status: 405, body: 'method not allowed\n', headers: { allow: 'GET, HEAD', connection: 'close' } };
  }
  const [path, query] = url.split('?', 2);
  switch (path) {
    case '/livez':
      return { status: 200, body: 'ok\n' };
    case '/readyz':
      return toReadiness(health, new URLSearchParams(query).has('verbose'));
    case '/metrics':
      return { status: 200, body: await metrics.expose(), contentType: metrics.contentType };
    case '/client':
      return describeCaller === undefined
        ? NOT_FOUND
        : toJson(describeCaller(canonicalAddress(socket.remoteAddress ?? '')));
    default:
      return NOT_FOUND;
  }
}

const NOT_FOUND: Answer = {
  status: 404,
  body: 'not found; there are /livez, /readyz, /metrics, and in a cluster /client\n',
};

function toJson(value: object): Answer {
  return { status: 200, body: `${JSON.stringify(value)}\n`, contentType: 'application/json' };
}

function toReadiness(health: Health, isVerbose: boolean): Answer {
  const missing = health.missing();
  const status = missing.length === 0 ? 200 : 503;
  const lines = isVerbose
    ? health
        .components()
        .map(({ name, missing: why }) => (why === undefined ? `[+] ${name}: ready` : `[-] ${name}: ${why}`))
    : missing;
  const verdict = missing.length === 0 ? 'ok' : 'not ready';
  return { status, body: `${[...lines, verdict].join('\n')}\n` };
}
