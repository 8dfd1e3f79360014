/** Requests that write only while somebody says that they may: for who leads for a term, and may have been stopped meanwhile. */
import { AppError } from '../../api/errors.ts';
import type { ApiRequest, ApiTransport } from './transport.ts';

/**
 * A process that is stopped and goes on later sends the next write of its work before any timer tells it that its time is over:
 * so every request that is not a GET asks, at first and at the last moment before it is sent. (Between that and the system's call
 * it can be stopped all the same, once: what one turn of the event loop was about to send goes out when it goes on.)
 *
 * @throws {AppError} `ERR_STORE_CLOSED` from every write, while `mayWrite` says no.
 */
export function guardWrites(transport: ApiTransport, mayWrite: () => boolean): ApiTransport {
  function check(): void {
    if (!mayWrite()) throw new AppError('ERR_STORE_CLOSED', 'store: this process does not lead any more');
  }
  function guard(request: ApiRequest): ApiRequest {
    if (request.method === 'GET') return request;
    check();
    return { ...request, lastCheck: check };
  }
  return {
    request: async (request) => transport.request(guard(request)),
    stream: async (request) => transport.stream(guard(request)),
  };
}
