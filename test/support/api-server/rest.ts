/** Plain requests to an API server as one identity: what tests read and write with, independent of the product's own client. */
import { Agent, request as httpsRequest } from 'node:https';
import type { CertificateAndKey } from '#src/fabric/authority.ts';

const REQUEST_TIMEOUT_MS = 30_000;
const APPLY = 'application/apply-patch+yaml';
const FIELD_MANAGER = 'test';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface Reply<T> {
  readonly status: number;
  /** The parsed body; a string where it is no JSON. */
  readonly body: T;
}

export interface RequestOptions {
  /** Sent as JSON; a string as it is. */
  readonly body?: unknown;
  /** Default `application/json`; for PATCH `application/merge-patch+json`. */
  readonly contentType?: string;
}

export interface ApplyOptions {
  /** Default `test`. */
  readonly fieldManager?: string;
  readonly subresource?: 'status';
  readonly dryRun?: 'All';
}

export interface Rest {
  /** Answers with any HTTP status; throws only when there is no answer in 30 s. */
  request<T = unknown>(method: string, path: string, options?: RequestOptions): Promise<Reply<T>>;
  /** Server-side apply, forced. Answers like `request`. */
  apply<T = unknown>(object: Manifest, options?: ApplyOptions): Promise<Reply<T>>;
  /** The path of an object, found by discovery. @throws {Error} when the server does not serve the kind. */
  pathOf(object: Pick<Manifest, 'apiVersion' | 'kind' | 'metadata'>): Promise<string>;
  close(): void;
}

export interface RestOptions {
  readonly url: string;
  readonly serverCa: string;
  readonly identity: CertificateAndKey;
}

interface ApiResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export function openRest({ url, serverCa, identity }: RestOptions): Rest {
  const agent = new Agent({ keepAlive: true, ca: serverCa, cert: identity.certPem, key: identity.keyPem });
  const request: Rest['request'] = (method, path, options = {}) => send({ url, agent, method, path, ...options });
  const pathOf = makePathFinder(request);
  return {
    request,
    pathOf,
    async apply(object, { fieldManager = FIELD_MANAGER, subresource, dryRun } = {}) {
      const query = new URLSearchParams({ fieldManager, force: 'true', ...(dryRun === undefined ? {} : { dryRun }) });
      const path = `${await pathOf(object)}${subresource === undefined ? '' : `/${subresource}`}`;
      return request('PATCH', `${path}?${query.toString()}`, { body: object, contentType: APPLY });
    },
    close: () => agent.destroy(),
  };
}

/** Only kinds that were found are remembered: a CRD may come later. */
function makePathFinder(request: Rest['request']): Rest['pathOf'] {
  const known = new Map<string, ApiResource>();
  return async ({ apiVersion, kind, metadata: { name, namespace } }) => {
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const key = `${apiVersion} ${kind}`;
    if (!known.has(key)) {
      const { body } = await request<{ resources?: readonly ApiResource[] }>('GET', root);
      const resource = body.resources?.find((each) => each.kind === kind && !each.name.includes('/'));
      if (resource === undefined) throw new Error(`the server does not serve ${key}`);
      known.set(key, resource);
    }
    const { name: plural, namespaced } = known.get(key) as ApiResource;
    const scope = namespaced ? `/namespaces/${namespace ?? 'default'}` : '';
    return `${root}${scope}/${plural}/${name}`;
  };
}

interface SendOptions extends RequestOptions {
  readonly url: string;
  readonly agent: Agent;
  readonly method: string;
  readonly path: string;
}

function send<T>({ url, agent, method, path, body, contentType }: SendOptions): Promise<Reply<T>> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const type = contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const headers = text === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(text) };
    const outgoing = httpsRequest(new URL(path, url), { agent, method, headers, signal }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString()) as T }),
      );
    });
    outgoing.on('error', (cause) => reject(new Error(`${method} ${path}: ${cause.message}`, { cause })));
    outgoing.end(text);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
