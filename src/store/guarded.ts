/** A store that writes only while somebody says that it may: for who leads for a term, and may have been stopped meanwhile. */
import { AppError } from '../api/errors.ts';
import type { Store } from './store.ts';

/**
 * A process that is stopped and goes on later sends the next write of its work before any timer tells it that its time is over:
 * so every write asks.
 *
 * @throws {AppError} `ERR_STORE_CLOSED` from every write, while `mayWrite` says no.
 */
export function guardWrites(store: Store, mayWrite: () => boolean): Store {
  function check(): void {
    if (!mayWrite()) throw new AppError('ERR_STORE_CLOSED', 'store: this process does not lead any more');
  }
  return {
    ...store,
    async apply(object, options) {
      check();
      return store.apply(object, options);
    },
    async applyStatus(object, options) {
      check();
      return store.applyStatus(object, options);
    },
    async delete(kind, key, options) {
      check();
      return store.delete(kind, key, options);
    },
  };
}
