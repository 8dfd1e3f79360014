/** Who watches a kind: first everything there is, then every change in its order. */
import type { KindName } from '../api/kinds.ts';
import type { KubeObject } from '../api/object.ts';
import type { Watch } from './store.ts';

/** {@link WatchObserver} of whatever kind. */
export interface AnyObserver {
  synced(objects: readonly KubeObject[]): void;
  changed(object: KubeObject): void;
  deleted(object: KubeObject): void;
}

export interface Watchers {
  add(kind: KindName, observer: AnyObserver): Watch;
  changed(kind: KindName, object: KubeObject): void;
  deleted(kind: KindName, object: KubeObject): void;
  close(): void;
}

export function makeWatchers(list: (kind: KindName) => readonly KubeObject[]): Watchers {
  const observersByKind = new Map<KindName, Set<AnyObserver>>();
  let isOver = false;

  function tell(kind: KindName, call: (observer: AnyObserver) => void): void {
    const observers = observersByKind.get(kind) ?? new Set();
    // A copy: an observer may close watches, its own or others, while it is told.
    for (const observer of [...observers]) if (observers.has(observer)) callSafely(() => call(observer));
  }

  function add(kind: KindName, observer: AnyObserver): Watch {
    let isClosed = false;
    // An own object, so that one observer may watch twice.
    const entry: AnyObserver = {
      synced: (objects) => observer.synced(objects),
      changed: (object) => observer.changed(object),
      deleted: (object) => observer.deleted(object),
    };
    const observers = observersByKind.get(kind) ?? new Set();
    observersByKind.set(kind, observers);
    // Later, as from an API server: the caller has its Watch before the first call. Changes until then are in the list.
    queueMicrotask(() => {
      if (isClosed || isOver) return;
      observers.add(entry);
      callSafely(() => entry.synced(list(kind)));
    });
    return {
      close: () => {
        isClosed = true;
        observers.delete(entry);
      },
    };
  }

  return {
    add,
    changed: (kind, object) => tell(kind, (observer) => observer.changed(object)),
    deleted: (kind, object) => tell(kind, (observer) => observer.deleted(object)),
    close: () => {
      isOver = true;
      observersByKind.forEach((observers) => observers.clear());
    },
  };
}

/** An observer that throws is a fault of the process, reported as an uncaught exception; a write must not fail by it. */
export function callSafely(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
