/** Everything there is of a kind, page by page, at one moment. */
import { AppError } from '../../api/errors.ts';
import type { KindName } from '../../api/kinds.ts';
import { isJsonMap } from '../json.ts';
import type { ApiTransport } from './transport.ts';
import { LIST_PAGE_OBJECTS, LIST_TIMEOUT_MS, OBJECTS_PER_KIND_MAX } from './limits.ts';
import { resourceName, withQuery } from './paths.ts';
import { receive, type Received } from './received.ts';

export interface Listed {
  readonly objects: readonly Received[];
  /** Where a watch goes on. */
  readonly resourceVersion: string;
}

/** An answer of the server that is no list and no watch. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
  readonly status: number;
  readonly body: unknown;
  readonly retryAfterMs: number | undefined;

  constructor({ status, body, retryAfterMs }: { status: number; body: unknown; retryAfterMs?: number }) {
    super(`status ${status}`);
    this.status = status;
    this.body = body;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface ListOptions {
  readonly transport: Pick<ApiTransport, 'request'>;
  readonly kind: KindName;
  readonly path: string;
  /** A label selector, as the API has it; default everything. */
  readonly selector: string | undefined;
  /** Objects of a page; the first answer that is too large makes it smaller. */
  readonly pageObjects?: number;
  readonly signal?: AbortSignal;
}

/**
 * @throws {AnswerError} when the server answers something else; 410 when the pages took it too long.
 * @throws {AppError} `ERR_TIMEOUT`, `ERR_STORE_UNAVAILABLE`, `ERR_BOUND_EXCEEDED`.
 */
export async function listAll(options: ListOptions): Promise<Listed> {
  const { transport, kind, path, selector, signal } = options;
  let limit = options.pageObjects ?? LIST_PAGE_OBJECTS;
  const objects: Received[] = [];
  for (let next: string | undefined; ;) {
    const query = { limit, continue: next, labelSelector: selector };
    const request = {
      method: 'GET',
      path: withQuery(path, query),
      timeoutMs: LIST_TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    } as const;
    const answer = await transport.request(request).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'ERR_BOUND_EXCEEDED' || limit === 1) throw error;
      return undefined;
    });
    if (answer === undefined) {
      limit = Math.max(1, Math.floor(limit / 4));
      continue;
    }
    const { status, body } = answer;
    if (status !== 200 || !isJsonMap(body) || !isJsonMap(body['metadata'])) throw new AnswerError(answer);
    for (const item of Array.isArray(body['items']) ? (body['items'] as unknown[]) : []) {
      const received = receive(kind, item);
      if (received !== undefined) objects.push(received);
    }
    if (objects.length > OBJECTS_PER_KIND_MAX) throw tooMany(kind);
    const { resourceVersion, continue: more = '' } = body['metadata'];
    if (typeof resourceVersion !== 'string' || resourceVersion === '') throw new AnswerError(answer);
    if (typeof more !== 'string' || more === '') return { objects, resourceVersion };
    next = more;
  }
}

function tooMany(kind: KindName): AppError {
  return new AppError('ERR_BOUND_EXCEEDED', `${resourceName(kind)}: more than ${OBJECTS_PER_KIND_MAX} objects`, {
    fix: 'Look who makes so many of them; what was known before stays in force.',
  });
}
