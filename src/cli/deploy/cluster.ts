/** What `deploy` and `delete` ask of an API server, on top of one transport: apply, read, list, delete, wait. */
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, type ErrorCode } from '../../api/errors.ts';
import { describeObject, type KubeObject } from '../../api/object.ts';
import type { ApiAnswer, ApiTransport } from '../../store/kubernetes/access.ts';
import { parseStatus } from '../../store/kubernetes/status.ts';
import { DEPLOY_MANAGER } from './crd-verdict.ts';
import { DEPLOY_PAGE_OBJECTS, DEPLOY_POLL_MS, DEPLOY_REQUEST_TIMEOUT_MS, REFUSAL_CHARS_MAX } from './limits.ts';
import type { Manifest } from './manifests.ts';
import { listPath, pathOf, type Resource } from './resources.ts';

export type Change = 'created' | 'changed' | 'unchanged';

export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
}

export interface Cluster {
  /** Undefined when it is not there. */
  get(object: KubeObject): Promise<Manifest | undefined>;
  /** Server-side apply as `clusterlink-mcs-deploy`, which takes fields that others have changed. */
  apply(object: Manifest): Promise<Change>;
  /** Applies an object that says nothing, so that its field manager owns nothing of it any more. Gone is as good. */
  giveUp(object: Manifest, options: { readonly fieldManager: string; readonly subresource: string }): Promise<void>;
  /** All of a kind; none where the server does not serve it. */
  list(resource: Resource, options?: ListOptions): Promise<Manifest[]>;
  /** Whether the server lists what is at this path. */
  answers(path: string): Promise<boolean>;
  /** The very object that was read: false when it is gone already, or is another one by now. */
  remove(object: Manifest): Promise<boolean>;
}

export function makeCluster(transport: Pick<ApiTransport, 'request'>): Cluster {
  const ask = (method: 'GET' | 'DELETE', path: string, body?: unknown): Promise<ApiAnswer> =>
    transport.request({ method, path, body, timeoutMs: DEPLOY_REQUEST_TIMEOUT_MS });

  async function get(object: KubeObject): Promise<Manifest | undefined> {
    const answer = await ask('GET', pathOf(object));
    if (answer.status === 404) return undefined;
    assertOk(answer, `read ${describeObject(object)}`);
    return answer.body as Manifest;
  }

  async function apply(object: Manifest): Promise<Change> {
    const before = await get(object);
    const answer = await patch(object, pathOf(object), DEPLOY_MANAGER);
    assertOk(answer, `apply ${describeObject(object)}`);
    if (before === undefined) return 'created';
    const after = answer.body as Manifest;
    return after.metadata?.resourceVersion === before.metadata?.resourceVersion ? 'unchanged' : 'changed';
  }

  function patch(object: Manifest, path: string, fieldManager: string): Promise<ApiAnswer> {
    const query = new URLSearchParams({ fieldManager, force: 'true', fieldValidation: 'Strict' });
    return transport.request({
      method: 'PATCH',
      path: `${path}?${query.toString()}`,
      body: object,
      contentType: 'application/apply-patch+yaml',
      timeoutMs: DEPLOY_REQUEST_TIMEOUT_MS,
    });
  }

  async function list(resource: Resource, options: ListOptions = {}): Promise<Manifest[]> {
    for (const version of resource.versions) {
      const found = await listVersion(resource, version, options);
      if (found !== undefined) return found;
    }
    return [];
  }

  async function listVersion(
    resource: Resource,
    version: string,
    { namespace, labelSelector }: ListOptions,
  ): Promise<Manifest[] | undefined> {
    const found: Manifest[] = [];
    let next: string | undefined;
    do {
      const query = new URLSearchParams({ limit: String(DEPLOY_PAGE_OBJECTS) });
      if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
      if (next !== undefined) query.set('continue', next);
      const answer = await ask('GET', `${listPath(resource, version, namespace)}?${query.toString()}`);
      if (answer.status === 404) return undefined;
      assertOk(answer, `list ${resource.plural}`);
      const { apiVersion, items, metadata } = answer.body as ListBody;
      // Items of built-in kinds say neither.
      for (const item of items) found.push({ ...item, apiVersion, kind: resource.kind });
      next = metadata.continue;
    } while (next !== undefined && next !== '');
    return found;
  }

  return {
    get,
    apply,
    list,
    async giveUp(object, { fieldManager, subresource }) {
      const path = subresource === '' ? pathOf(object) : `${pathOf(object)}/${subresource}`;
      const answer = await patch(object, path, fieldManager);
      if (answer.status !== 404) assertOk(answer, `take back what was written into ${describeObject(object)}`);
    },
    async answers(path) {
      return (await ask('GET', `${path}?limit=1`)).status === 200;
    },
    async remove(object) {
      const { uid } = object.metadata ?? {};
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background', preconditions: { uid } };
      const answer = await ask('DELETE', pathOf(object), body);
      if (answer.status === 404 || answer.status === 409) return false;
      assertOk(answer, `delete ${describeObject(object)}`);
      return true;
    },
  };
}

/** Looks until it is so. False when the time is over; the first look is always made. */
export async function waitUntil(isSo: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() >= deadline) return false;
    await delay(DEPLOY_POLL_MS);
  }
  return true;
}

interface ListBody {
  readonly apiVersion: string;
  readonly items: readonly Omit<Manifest, 'apiVersion' | 'kind'>[];
  readonly metadata: { readonly continue?: string };
}

function assertOk(answer: ApiAnswer, attempt: string): void {
  const { status, body } = answer;
  if (status < 300) return;
  const { message } = parseStatus(body);
  const [code, fix] = meaningOf(status);
  const said = message === '' ? `HTTP ${status}` : message.slice(0, REFUSAL_CHARS_MAX);
  throw new AppError(code, `${attempt}: ${said}`, { fix, retryable: status === 429 || status >= 500 });
}

function meaningOf(status: number): [ErrorCode, string] {
  if (status === 401 || status === 403) {
    return ['ERR_FORBIDDEN', 'use a kubeconfig of an administrator of the cluster: it creates roles and CRDs'];
  }
  if (status === 404) return ['ERR_NOT_FOUND', 'run the command again; a CRD or the namespace may just be going'];
  if (status === 409) return ['ERR_CONFLICT', 'run the command again; if it stays so, look who writes this object'];
  if (status === 429 || status >= 500) {
    return ['ERR_STORE_UNAVAILABLE', 'look whether the API server is healthy, and run the command again'];
  }
  return ['ERR_INVALID_OBJECT', 'correct what the API server names; a cluster before Kubernetes 1.30 is too old'];
}
