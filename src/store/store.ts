/**
 * The seam between this product and whatever keeps the objects: the API server, a directory, or memory (tests).
 *
 * Objects are raw JSON and frozen: change a copy. Every implementation passes `test/support/store-contract.ts`.
 */
import type { Applied } from '../api/applied.ts';
import type { KindMap, KindName } from '../api/kinds.ts';
import type { ObjectKey } from '../api/object.ts';

export interface ApplyOptions {
  /** Who writes; a frozen name of this product, for example `clusterlink-mcs-controller`. */
  readonly fieldManager: string;
  /** Take fields that another manager owns. Without it such a field is `ERR_CONFLICT`. */
  readonly force?: boolean;
}

export interface WatchObserver<K extends KindName> {
  /** Everything there is, once at the start and again after a gap; what is not in it is gone. */
  synced(objects: readonly KindMap[K][]): void;
  changed(object: KindMap[K]): void;
  deleted(object: KindMap[K]): void;
}

export interface Watch {
  close(): void;
}

export interface Store {
  get<K extends KindName>(kind: K, key: ObjectKey): Promise<KindMap[K] | undefined>;
  list<K extends KindName>(kind: K): Promise<readonly KindMap[K][]>;
  /** Never throws into the store: an observer that throws is the composition root's to report. */
  watch<K extends KindName>(kind: K, observer: WatchObserver<K>): Watch;
  /**
   * Server-side apply of everything but status: creates or changes; fields this manager applied before and omits now are
   * removed; maps merge by key; lists are atomic. A call that changes nothing writes nothing.
   *
   * @throws {AppError} `ERR_CONFLICT` when another manager owns a field; `ERR_INVALID_OBJECT` when the schema refuses.
   */
  apply<K extends KindName>(object: Applied<K>, options: ApplyOptions): Promise<KindMap[K]>;
  /** The same for `status` alone; conditions merge by `type`, `status.clusters` by `cluster`. @throws `ERR_NOT_FOUND` too. */
  applyStatus<K extends KindName>(object: Applied<K>, options: ApplyOptions): Promise<KindMap[K]>;
  /** Absent is success. With `uid`, an object of another uid is left alone (`ERR_CONFLICT`). */
  delete(kind: KindName, key: ObjectKey, options?: { readonly uid?: string }): Promise<void>;
  close(): Promise<void>;
}
