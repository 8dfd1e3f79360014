/**
 * The way to one API server: where it is, who we are, and one pool of connections. Texts of the library and of the system never
 * leave it: they may quote headers, kubeconfigs or the output of a credential plugin.
 */
import { AppError } from '../../api/errors.ts';
import { configError, loadKubeconfig, parseServer, type AccessOptions, type Dispatcher } from './kubeconfig.ts';
import { ANSWER_BYTES_MAX, RETRY_AFTER_MAX_MS } from './limits.ts';
import type { ApiHead, ApiRequest, ApiTransport } from './transport.ts';

export type { ApiAnswer, ApiRequest, ApiStream, ApiTransport } from './transport.ts';
export type { AccessOptions } from './kubeconfig.ts';

export interface KubernetesAccess extends ApiTransport {
  /** The name that the kubeconfig gives the cluster: for people. */
  readonly cluster: string;
  /** The namespace of the context, in a pod its own. */
  readonly namespace: string | undefined;
  /** Ends every request and connection. */
  close(): Promise<void>;
}

/**
 * @throws {AppError} `ERR_CONFIG` when there is no usable kubeconfig.
 */
export function loadAccess(options: AccessOptions = {}): KubernetesAccess {
  const config = loadKubeconfig(options);
  const server = config.getCurrentCluster();
  if (server === null) {
    throw configError(`context ${JSON.stringify(config.getCurrentContext())}: it names no cluster of the kubeconfig`);
  }
  const base = parseServer(server);
  const label = `API server of ${server.name}`;
  const closing = new AbortController();

  async function send(request: ApiRequest) {
    const { method, path, body, contentType = 'application/json', timeoutMs, signal, lastCheck } = request;
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), timeoutMs);
    const abort = AbortSignal.any([timeout.signal, closing.signal, ...(signal === undefined ? [] : [signal])]);
    let used: Dispatcher | undefined;
    const fail = (error: unknown): AppError => {
      if (timeout.signal.aborted) {
        // A connection over which nothing comes any more looks like this too: the next request takes another one.
        if (used !== undefined) config.retire(used);
        return timedOut(`${label}: ${method} ${path.split('?')[0]}`, timeoutMs);
      }
      return unavailable(label, error);
    };
    try {
      closing.signal.throwIfAborted();
      const { dispatcher, headers } = await before(abort, config.prepare(base.origin + base.path + path, method));
      used = dispatcher;
      lastCheck?.();
      const response = await dispatcher.request({
        origin: base.origin,
        path: base.path + path,
        method,
        headers: {
          ...headers,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': contentType }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: abort,
        // Deadlines are ours: those of the pool would end a quiet watch.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      return { response, fail, stopTimer: () => clearTimeout(timer) };
    } catch (error) {
      clearTimeout(timer);
      throw error instanceof AppError ? error : fail(error);
    }
  }

  return {
    cluster: server.name,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    async request(request) {
      const { response, fail, stopTimer } = await send(request);
      try {
        const text = await readText(response.body, label);
        return { ...toHead(response), body: parseBody(text) };
      } catch (error) {
        throw error instanceof AppError ? error : fail(error);
      } finally {
        stopTimer();
      }
    },
    async stream(request) {
      const { response, stopTimer } = await send(request);
      stopTimer();
      return { ...toHead(response), chunks: response.body };
    },
    async close() {
      closing.abort();
      await config.closeAll();
    },
  };
}

/** What cannot be aborted is left behind: a credential plugin may hang. */
async function before<T>(end: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(end.reason as Error);
  end.addEventListener('abort', onAbort, { once: true });
  if (end.aborted) onAbort();
  try {
    return await Promise.race([work, ended]);
  } finally {
    end.removeEventListener('abort', onAbort);
  }
}

interface RawResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

function toHead({ statusCode, headers }: RawResponse): ApiHead {
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  if (!Number.isFinite(seconds) || seconds < 0) return { status: statusCode };
  return { status: statusCode, retryAfterMs: Math.min(seconds * 1000, RETRY_AFTER_MAX_MS) };
}

async function readText(body: AsyncIterable<Uint8Array>, label: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) {
      throw new AppError('ERR_BOUND_EXCEEDED', `${label}: an answer of more than ${ANSWER_BYTES_MAX} bytes`, {
        fix: 'Look for very large objects of this kind.',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A proxy in between may answer in HTML: the status says enough. */
function parseBody(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function timedOut(what: string, timeoutMs: number): AppError {
  return new AppError('ERR_TIMEOUT', `${what}: no answer within ${timeoutMs} ms`, {
    retryable: true,
    fix: 'Look whether the API server and its etcd are healthy and reachable; it is tried again.',
  });
}

/** Texts of libraries may quote headers or the output of a credential plugin: only codes pass. */
function unavailable(label: string, error: unknown): AppError {
  const code = codeOf(error) ?? 'the connection failed, or there are no credentials for it';
  return new AppError('ERR_STORE_UNAVAILABLE', `${label}: ${code}`, {
    retryable: true,
    fix: 'Look whether the API server runs and can be reached with this kubeconfig; it is tried again.',
  });
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('name' in error && error.name === 'AbortError') return 'closed';
  if ('code' in error && typeof error.code === 'string' && /^\w+$/.test(error.code)) return error.code;
  return 'cause' in error ? codeOf(error.cause) : undefined;
}
