/** Requests that write only while somebody says that they may: for who leads for a term, and may have been stopped meanwhile. */
import { AppError } from '../../api/errors.ts';
import type { ApiRequest, ApiTransport } from './transport.ts';

/**
 * A process that is stopped and goes on later sends the next write of its work before any timer tells it that its time is over:
 * so every request that is not a GET asks, at the last moment before it is sent.
 *
 * @throws {AppError} `ERR_STORE_CLOSED` from every write, while `mayWrite` says no.
 */
export function guardWrites(transport: ApiTransport, mayWrite: () => boolean): ApiTransport {
  function check({ method }: ApiRequest): void {
    if (method !== 'GET' && !mayWrite())
      throw new AppError('ERR_STORE_CLOSED', 'store: this process does not lead any more');
  }
  return {
    async request(request) {
      check(request);
      return transport.request(request);
    },
    async stream(request) {
      check(request);
      return transport.stream(request);
    },
  };
}
