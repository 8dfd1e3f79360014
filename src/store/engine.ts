/**
 * The store of the stores that keep their objects themselves: objects in memory, written through to a `Persistence`.
 *
 * A write is: wait for earlier writes of the object, compute the next form, check it, save it, and only then show it.
 * So what readers see has been saved, and a failed save leaves everything as it was.
 */
import { AppError } from '../api/errors.ts';
import type { KindMap, KindName } from '../api/kinds.ts';
import { formatKey, type KubeObject, type ObjectKey } from '../api/object.ts';
import { applyOwned, checkDeletable, checkKey, checkPreconditions, checkVisible, identify } from './checks.ts';
import { notFound, toRequest, type ValidateObject } from './checks.ts';
import { sameJson, type JsonMap } from './json.ts';
import { OBJECTS_MAX, PENDING_WRITES_MAX } from './limits.ts';
import { applyConfiguration, type Configurations } from './ownership.ts';
import { makeSerialQueue } from './serial.ts';
import { mainConfiguration, reviseObject, statusConfiguration, toVisible, USER_MANAGER } from './stored-object.ts';
import type { Declaration, ObjectParts, StoredObject } from './stored-object.ts';
import type { Applied } from '../api/applied.ts';
import { toTimestamp } from '../api/timestamp.ts';
import type { ApplyOptions, Store } from './store.ts';
import { makeTable, type Entry } from './table.ts';
import { makeWatchers } from './watchers.ts';

/** Where objects outlive the process. Calls for one object never overlap. */
export interface Persistence {
  /** @throws {AppError} `ERR_STATE_IO`, and leaves what was saved before. */
  save(object: StoredObject): Promise<void>;
  remove(object: StoredObject): Promise<void>;
}

export interface EngineOptions {
  readonly validate: ValidateObject;
  readonly persistence: Persistence;
  readonly nowMs: () => number;
  /** A new UUID. */
  readonly uid: () => string;
  /** What was saved before. */
  readonly loaded?: readonly StoredObject[];
  readonly objectsMax?: number;
}

/** A store, and the side door for the user's manifests. */
export interface Engine extends Store {
  /** Makes the user's document the configuration of `user`; it takes fields from others, since the user decides. */
  declare(kind: KindName, key: ObjectKey, declaration: Declaration): Promise<void>;
  /** The user no longer declares this object: it goes, with all that was added to it. */
  withdraw(kind: KindName, key: ObjectKey): Promise<void>;
  declared(): readonly StoredObject[];
}

/** A change of one object's parts; `undefined` is an object that is not there yet. */
type Change = (present: StoredObject | undefined) => ObjectParts;

const NO_PARTS: ObjectParts = { main: {}, status: {}, declaration: undefined };

export function makeEngine(options: EngineOptions): Engine {
  const { persistence, objectsMax = OBJECTS_MAX } = options;
  const table = makeTable(options.loaded ?? []);
  const watchers = makeWatchers((kind) => table.list(kind));
  const writes = makeSerialQueue({ pendingMax: PENDING_WRITES_MAX });
  let isClosed = false;
  let beingCreated = 0;

  async function serially<T>(kind: KindName, key: ObjectKey, task: () => Promise<T>): Promise<T> {
    if (isClosed) throw new AppError('ERR_STORE_CLOSED', `${kind} ${formatKey(key)}: the store is closed`);
    return writes.run(`${kind} ${formatKey(key)}`, task);
  }

  /** @throws {AppError} `ERR_BOUND_EXCEEDED`; objects that are being saved count. */
  function create(kind: KindName, key: ObjectKey, parts: ObjectParts): StoredObject {
    if (table.size + beingCreated >= objectsMax) {
      throw new AppError('ERR_BOUND_EXCEEDED', `${kind} ${formatKey(key)}: there are ${objectsMax} objects already`, {
        fix: 'Delete what is not needed, or split this peer.',
      });
    }
    const creationTimestamp = toTimestamp(options.nowMs());
    const resourceVersion = table.nextVersion();
    return { kind, key, uid: options.uid(), creationTimestamp, generation: 1, resourceVersion, ...parts };
  }

  async function save(kind: KindName, next: StoredObject, present: Entry | undefined): Promise<KubeObject> {
    if (present !== undefined && next.resourceVersion === present.stored.resourceVersion) {
      // Only who owns what has changed: worth a save, but nothing that a reader sees.
      await persistence.save(next);
      table.set({ stored: next, visible: present.visible });
      return present.visible;
    }
    const visible = toVisible(next);
    checkVisible(kind, visible, options.validate);
    await persistence.save(next);
    table.set({ stored: next, visible });
    watchers.changed(kind, visible);
    return visible;
  }

  async function write(kind: KindName, key: ObjectKey, change: Change): Promise<KubeObject> {
    return serially(kind, key, async () => {
      const present = table.get(kind, key);
      const parts = change(present?.stored);
      if (present !== undefined) {
        const next = reviseObject(present.stored, parts, () => table.nextVersion());
        return next === present.stored ? present.visible : save(kind, next, present);
      }
      const next = create(kind, key, parts);
      beingCreated += 1;
      try {
        return await save(kind, next, undefined);
      } finally {
        beingCreated -= 1;
      }
    });
  }

  async function remove(kind: KindName, key: ObjectKey, check: (present: StoredObject) => void): Promise<void> {
    await serially(kind, key, async () => {
      const present = table.get(kind, key);
      if (present === undefined) return;
      check(present.stored);
      await persistence.remove(present.stored);
      table.delete(kind, key);
      watchers.deleted(kind, present.visible);
    });
  }

  return {
    get: <K extends KindName>(kind: K, key: ObjectKey) =>
      Promise.resolve(table.get(kind, key)?.visible as KindMap[K] | undefined),
    list: <K extends KindName>(kind: K) => Promise.resolve(table.list(kind) as readonly KindMap[K][]),
    watch: (kind, observer) => watchers.add(kind, observer),
    async apply<K extends KindName>(object: Applied<K>, applyOptions: ApplyOptions) {
      const { kind, key } = identify(object);
      const request = toRequest(mainConfiguration(object), applyOptions);
      const applied = await write(kind, key, (present) => {
        checkPreconditions(object, present);
        const { main, status, declaration } = present ?? NO_PARTS;
        return { main: applyOwned(kind, key, main, request), status, declaration };
      });
      return applied as KindMap[K];
    },
    async applyStatus<K extends KindName>(object: Applied<K>, applyOptions: ApplyOptions) {
      const { kind, key } = identify(object);
      const request = toRequest(statusConfiguration(object), applyOptions);
      const applied = await write(kind, key, (present) => {
        if (present === undefined) throw notFound(kind, key);
        checkPreconditions(object, present);
        const { main, status, declaration } = present;
        return { main, status: applyOwned(kind, key, status, request), declaration };
      });
      return applied as KindMap[K];
    },
    delete: (kind, key, { uid } = {}) => remove(kind, key, (present) => checkDeletable(present, uid)),
    async declare(kind, key, declaration) {
      checkKey(kind, key);
      await write(kind, key, (present) => ({
        main: mainWithDeclaration(present, declaration.document),
        status: present?.status ?? {},
        declaration,
      }));
    },
    withdraw: (kind, key) => remove(kind, key, () => undefined),
    declared: () => table.all().filter(({ declaration }) => declaration !== undefined),
    async close() {
      isClosed = true;
      watchers.close();
      await writes.idle();
    },
  };
}

/** A document that was taken before is not applied again: since then others may have taken fields of it by force. */
function mainWithDeclaration(present: StoredObject | undefined, document: JsonMap): Configurations {
  if (present !== undefined && sameJson(present.declaration?.document, document)) return present.main;
  const request = { manager: USER_MANAGER, configuration: mainConfiguration(document), force: true };
  return applyConfiguration(present?.main ?? {}, request).configurations;
}
