/**
 * Kubeconfigs and credentials, by @kubernetes/client-node (tokens that rotate, exec plugins, OIDC), with one pool of connections.
 *
 * The library makes a new pool for every request, and leaves its sockets open: {@link PooledKubeConfig} keeps one.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { KubeConfig, RequestContext, type Cluster, type DispatcherOptions } from '@kubernetes/client-node';
import { AppError } from '../../api/errors.ts';

export interface AccessOptions {
  /** Path of a kubeconfig file. Default: KUBECONFIG, else the service account of this pod, else `~/.kube/config`. */
  readonly kubeconfig?: string;
  /** Default: the current one. */
  readonly context?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export type Dispatcher = NonNullable<ReturnType<RequestContext['getDispatcher']>>;
type TlsOptions = Parameters<KubeConfig['createDispatcherOptions']>[1];

export interface Prepared {
  readonly dispatcher: Dispatcher;
  readonly headers: Record<string, string>;
}

/** One pool as long as CA, certificate and key are the same; headers are made anew for every request. */
export class PooledKubeConfig extends KubeConfig {
  #pool: Dispatcher | undefined;
  #poolTls: TlsOptions = {};
  readonly #retired = new Set<Dispatcher>();
  #preparing: Promise<unknown> = Promise.resolve();

  override createDispatcherOptions(
    ...[cluster, tls]: Parameters<KubeConfig['createDispatcherOptions']>
  ): DispatcherOptions {
    if (this.#pool !== undefined && isSameTls(tls, this.#poolTls)) return { type: 'none' };
    this.#poolTls = tls;
    // Without any TLS option the library gives no pool at all, and every request would make its own connection.
    return super.createDispatcherOptions(cluster, { ...tls, rejectUnauthorized: tls.rejectUnauthorized ?? true });
  }

  /** One after the other: two at once would each make a pool, and a credential plugin would run twice. */
  prepare(url: string, method: string): Promise<Prepared> {
    const prepared = this.#preparing.then(() => this.#prepare(url, method));
    this.#preparing = prepared.catch(() => undefined);
    return prepared;
  }

  async #prepare(url: string, method: string): Promise<Prepared> {
    const context = new RequestContext(url, method as ConstructorParameters<typeof RequestContext>[1]);
    await this.applySecurityAuthentication(context);
    const fresh = context.getDispatcher();
    if (fresh !== undefined) {
      if (this.#pool !== undefined) this.retire(this.#pool);
      this.#pool = fresh;
    }
    if (this.#pool === undefined) throw new Error('the client library gave no connection pool');
    return { dispatcher: this.#pool, headers: context.getHeaders() };
  }

  /** Requests under way end on it, new ones get another: after a rotation, and when a connection seems dead. */
  retire(pool: Dispatcher): void {
    if (this.#pool === pool) this.#pool = undefined;
    if (this.#retired.has(pool)) return;
    this.#retired.add(pool);
    void pool.close().then(
      () => this.#retired.delete(pool),
      () => this.#retired.delete(pool),
    );
  }

  async closeAll(): Promise<void> {
    const pools = [...this.#retired, ...(this.#pool === undefined ? [] : [this.#pool])];
    this.#pool = undefined;
    await Promise.allSettled(pools.map((pool) => pool.destroy()));
  }
}

/** @throws {AppError} `ERR_CONFIG` when there is no usable kubeconfig. */
export function loadKubeconfig({ kubeconfig, context, env = process.env }: AccessOptions): PooledKubeConfig {
  const config = new PooledKubeConfig();
  try {
    const files = kubeconfig === undefined ? kubeconfigFiles(env) : [kubeconfig];
    if (files === undefined) config.loadFromCluster();
    else loadFiles(config, files);
  } catch (error) {
    if (error instanceof AppError) throw error;
    // The first line alone: parsers quote the text around a fault, which may be a token.
    throw configError(`kubeconfig: ${error instanceof Error ? error.message.split('\n')[0] : 'it cannot be read'}`);
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null)
      throw configError(`kubeconfig: no context ${JSON.stringify(context)}`);
    config.setCurrentContext(context);
  }
  return config;
}

/** The files of KUBECONFIG, else `~/.kube/config`; undefined = this pod's service account. */
function kubeconfigFiles(env: Readonly<Record<string, string | undefined>>): readonly string[] | undefined {
  const { KUBECONFIG: list = '', KUBERNETES_SERVICE_HOST: host = '' } = env;
  if (list !== '') return list.split(delimiter).filter((file) => file !== '');
  if (host !== '') return undefined;
  return [join(env['HOME'] ?? homedir(), '.kube', 'config')];
}

/** As kubectl reads several: files that are not there are left out, of two entries of one name the first counts. */
function loadFiles(config: KubeConfig, files: readonly string[]): void {
  const [first, ...rest] = files.filter((file) => existsSync(file));
  if (first === undefined) throw configError(`kubeconfig: there is no ${files.join(' and no ')}`);
  config.loadFromFile(first);
  for (const file of rest) {
    const next = new KubeConfig();
    next.loadFromFile(file);
    const current = config.currentContext;
    next.clusters = next.clusters.filter(({ name }) => config.getCluster(name) === null);
    next.users = next.users.filter(({ name }) => config.getUser(name) === null);
    next.contexts = next.contexts.filter(({ name }) => config.getContextObject(name) === null);
    config.mergeConfig(next, true);
    config.setCurrentContext(current === undefined || current === '' ? next.currentContext : current);
  }
}

/** @throws {AppError} `ERR_CONFIG` */
export function parseServer({ server, skipTLSVerify }: Cluster): { readonly origin: string; readonly path: string } {
  const url = URL.parse(server);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw configError(`kubeconfig: the server ${JSON.stringify(server)} is not a URL with https`);
  }
  // As for kubectl proxy: the library wants it to be said twice.
  if (url.protocol === 'http:' && !skipTLSVerify) {
    throw configError(
      `kubeconfig: the server ${JSON.stringify(server)} has no TLS, and insecure-skip-tls-verify is not set`,
    );
  }
  return { origin: url.origin, path: url.pathname.replace(/\/$/, '') };
}

const TLS_PARTS = ['ca', 'cert', 'key', 'pfx', 'passphrase', 'servername', 'rejectUnauthorized'] as const;

/** Asked at every request: files are read anew each time, and are the same nearly always. */
function isSameTls(a: TlsOptions, b: TlsOptions): boolean {
  return TLS_PARTS.every((part) => a[part] === b[part] || isDeepStrictEqual(a[part], b[part]));
}

export function configError(message: string): AppError {
  return new AppError('ERR_CONFIG', message, {
    fix: 'Name a kubeconfig file that kubectl can use, with --kubeconfig or KUBECONFIG.',
  });
}
