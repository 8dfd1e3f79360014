/** Requests to an API server, as all else here sees them: raw JSON, any status an answer, every wait with a deadline. */

export type ApiMethod = 'DELETE' | 'GET' | 'PATCH' | 'POST' | 'PUT';

export interface ApiRequest {
  readonly method: ApiMethod;
  /** From the root of the API, with its query: `/api/v1/pods?limit=500`. Names in it are encoded by the caller. */
  readonly path: string;
  readonly body?: unknown;
  /** Of the body. Default `application/json`. */
  readonly contentType?: string;
  /** To the end of the answer; of a stream, to its head. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Asked when nothing is waited for any more before the request is sent; what it throws is what becomes of it. */
  readonly lastCheck?: () => void;
}

export interface ApiHead {
  readonly status: number;
  /** What the server asks to wait before the next try; bounded. */
  readonly retryAfterMs?: number;
}

export interface ApiAnswer extends ApiHead {
  /** The body as JSON; undefined when it is none. */
  readonly body: unknown;
}

export interface ApiStream extends ApiHead {
  /** Ends when the server ends it; throws when it is cut. Leaving the loop closes the stream. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** What everything else here needs of an API server; tests script it. */
export interface ApiTransport {
  /** @throws {AppError} `ERR_TIMEOUT`, `ERR_STORE_UNAVAILABLE` (both retryable), `ERR_BOUND_EXCEEDED`; any status is an answer. */
  request(request: ApiRequest): Promise<ApiAnswer>;
  /** @throws the same. */
  stream(request: ApiRequest): Promise<ApiStream>;
}
