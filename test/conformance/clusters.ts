/** The API servers of the run, one client for each context. The suite speaks to nothing else. */
import {
  type Cluster as ClusterEntry,
  type Context,
  type User,
  HttpMethod,
  IsomorphicFetchHttpLibrary,
  KubeConfig,
  RequestContext,
} from '@kubernetes/client-node';
import { execInPod, type ExecResult, type ExecTarget } from './exec.ts';
import { UsageError, type KubeConfigParts } from './kubeconfig.ts';
import { EXEC_MS, REQUEST_MS } from './limits.ts';
import { apiVersionOf, toPath, type ObjectByResource, type Resource } from './objects.ts';
import { Interrupted, toMessage } from './outcome.ts';

/** An answer of an API server that is not a success. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Place {
  readonly namespace: string;
  readonly name: string;
  readonly signal: AbortSignal;
}

export interface Cluster {
  readonly context: string;
  /** For people: the cluster's name in the context. */
  readonly name: string;
  /** Undefined: there is no such object. @throws ApiError, or any error where no answer came. */
  get<R extends Resource>(resource: R, place: Place): Promise<ObjectByResource[R] | undefined>;
  /** @param query - labelSelector and limit, where given. Without a namespace: of all namespaces. */
  list<R extends Resource>(
    resource: R,
    query: { namespace?: string; labelSelector?: string; limit?: number; signal: AbortSignal },
  ): Promise<ObjectByResource[R][]>;
  /** The object as the server answers it, with its defaults. */
  create<R extends Resource>(
    resource: R,
    object: ObjectByResource[R],
    options: { signal: AbortSignal },
  ): Promise<ObjectByResource[R]>;
  /** Of an object that is not there, too; does not wait for the end of a deletion. */
  remove(resource: Resource, place: Omit<Place, 'namespace'> & { namespace?: string }): Promise<void>;
  exec(target: ExecTarget): Promise<ExecResult>;
  close(): Promise<void>;
}

type Dispatcher = NonNullable<ReturnType<RequestContext['getDispatcher']>>;

/** client-node makes a new connection pool for every call and closes none; this keeps the first. One of these for each cluster. */
class PooledKubeConfig extends KubeConfig {
  #pool: Dispatcher | undefined;

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    const fresh = context.getDispatcher();
    if (fresh !== undefined) context.setDispatcher((this.#pool ??= fresh));
  }

  // Used for WebSockets: a server that accepts and never upgrades must not hold a socket longer than a command may last.
  override async applyToHTTPSOptions(options: Parameters<KubeConfig['applyToHTTPSOptions']>[0]): Promise<void> {
    await super.applyToHTTPSOptions(options);
    Object.assign(options, { handshakeTimeout: EXEC_MS });
  }

  async close(): Promise<void> {
    await this.#pool?.close();
  }
}

/**
 * One client for each context, in the order given.
 * @throws UsageError for a context that the files do not have, or that is not complete.
 */
export function makeClusters(parts: KubeConfigParts, contexts: readonly string[]): Cluster[] {
  return contexts.map((name) => {
    const context = parts.contexts.find((item) => item.name === name);
    if (context === undefined) {
      const known = parts.contexts.map((item) => item.name).join(', ');
      throw new UsageError(`no context ${name} in the kubeconfig; it has: ${known === '' ? 'none' : known}`);
    }
    const cluster = parts.clusters.find((item) => item.name === context.cluster);
    const user = parts.users.find((item) => item.name === context.user);
    if (cluster === undefined)
      throw new UsageError(`context ${name} names cluster ${context.cluster}, which is not there`);
    return makeCluster({ context, cluster, user });
  });
}

function makeCluster(entry: { context: Context; cluster: ClusterEntry; user: User | undefined }): Cluster {
  const { context, cluster, user } = entry;
  const config = new PooledKubeConfig();
  config.loadFromOptions({
    clusters: [cluster],
    users: user === undefined ? [] : [user],
    contexts: [context],
    currentContext: context.name,
  });
  const request = makeRequest(config, cluster.server);
  return {
    context: context.name,
    name: cluster.name,
    async get(resource, { namespace, name, signal }) {
      try {
        return asObject(await request({ path: toPath(resource, { namespace, name }), signal }));
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return undefined;
        throw error;
      }
    },
    async list(resource, { namespace, labelSelector, limit, signal }) {
      const query = new URLSearchParams();
      if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
      if (limit !== undefined) query.set('limit', String(limit));
      const path = toPath(resource, namespace === undefined ? {} : { namespace });
      const answer = await request({ path: `${path}?${query.toString()}`, signal });
      return asItems(answer);
    },
    async create(resource, object, { signal }) {
      const { namespace } = object.metadata;
      const path = toPath(resource, namespace === undefined ? {} : { namespace });
      const body = { apiVersion: apiVersionOf(resource), ...object };
      return asObject(await request({ method: HttpMethod.POST, path, body, signal }));
    },
    async remove(resource, { signal, ...place }) {
      try {
        await request({ method: HttpMethod.DELETE, path: toPath(resource, place), signal });
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      }
    },
    exec: (target) => execInPod(config, target),
    close: () => config.close(),
  };
}

interface Request {
  readonly method?: HttpMethod;
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

/** Raw requests: typed ones drop members that the generated models do not know. */
function makeRequest(config: KubeConfig, server: string): (request: Request) => Promise<unknown> {
  const http = new IsomorphicFetchHttpLibrary();
  const base = server.replace(/\/+$/, '');
  return async ({ method = HttpMethod.GET, path, body, signal }) => {
    const context = new RequestContext(`${base}${path}`, method);
    context.setHeaderParam('Accept', 'application/json');
    if (body !== undefined) {
      context.setHeaderParam('Content-Type', 'application/json');
      context.setBody(JSON.stringify(body));
    }
    context.setSignal(AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]));
    try {
      await config.applySecurityAuthentication(context);
      const response = await http.send(context).toPromise();
      return toAnswer(response.httpStatusCode, await response.body.text());
    } catch (error) {
      if (signal.aborted) throw new Interrupted();
      if (error instanceof ApiError) throw error;
      throw new Error(`${base}: ${toMessage(error)}`, { cause: error });
    }
  };
}

function toAnswer(status: number, text: string): unknown {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new ApiError(status, `HTTP ${status} with something that is not JSON`);
  }
  if (status >= 200 && status < 300) return answer;
  const message = isRecord(answer) && typeof answer['message'] === 'string' ? answer['message'] : 'without a message';
  throw new ApiError(status, `HTTP ${status}: ${message}`);
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The server holds the object to its schema; here only what any object has. */
function asObject<T>(value: unknown): T {
  if (!isRecord(value) || !isRecord(value['metadata']))
    throw new Error('the API server answered something that is not an object');
  return value as T;
}

function asItems<T>(value: unknown): T[] {
  if (!isRecord(value) || !Array.isArray(value['items']))
    throw new Error('the API server answered something that is not a list');
  return value['items'].map((item) => asObject<T>(item));
}
