/**
 * Writes what is desired, and knows what it has written: an object that is wanted as it was last time, and that the cache
 * still shows as it was then, costs a comparison of two references. Everything else goes to the store, which itself writes
 * nothing that would change nothing. What the store refused for its form is not sent again for a while: one object that cannot
 * be would otherwise cost a request for every change of any other.
 */
import { hash } from 'node:crypto';
import type { Applied } from '../api/applied.ts';
import { AppError } from '../api/errors.ts';
import type { KindMap, KindName } from '../api/kinds.ts';
import { formatKey, keyOf } from '../api/object.ts';
import { systemClock, type Clock } from '../runtime/clock.ts';
import type { Store } from '../store/store.ts';
import { REFUSED_WRITE_LIFE_MS, WRITES_REMEMBERED_MAX } from './limits.ts';

export interface Writer {
  /** @param present - as the cache has it; the result is the object as it is now. */
  apply<K extends KindName>(desired: Applied<K>, present: KindMap[K] | undefined): Promise<KindMap[K]>;
  applyStatus<K extends KindName>(desired: Applied<K>, present: KindMap[K]): Promise<KindMap[K]>;
  /** Only this very object, by its uid; one of the same name that came later is left alone. */
  remove(object: KindMap[KindName]): Promise<void>;
}

interface Memory {
  readonly digest: string;
  readonly present: unknown;
  /** Why it was refused, and when. */
  readonly refusal?: { readonly error: AppError; readonly atMs: number };
}

export function makeWriter(
  store: Store,
  fieldManager: string,
  { clock = systemClock }: { readonly clock?: Pick<Clock, 'nowMs'> } = {},
): Writer {
  const options = { fieldManager, force: true } as const;
  const memories = new Map<string, Memory>();

  function remember(id: string, memory: Memory): void {
    // The oldest goes first: what is used is set anew, and moves to the end.
    memories.delete(id);
    memories.set(id, memory);
    if (memories.size <= WRITES_REMEMBERED_MAX) return;
    for (const oldest of memories.keys()) {
      memories.delete(oldest);
      break;
    }
  }

  async function writeOnce<T>(
    id: string,
    desired: unknown,
    present: T | undefined,
    write: () => Promise<T>,
  ): Promise<T> {
    const digest = hash('sha256', JSON.stringify(desired), 'base64');
    const memory = memories.get(id);
    if (memory?.digest === digest && memory.present === present) {
      if (memory.refusal === undefined) {
        if (present !== undefined) return present;
      } else if (clock.nowMs() - memory.refusal.atMs < REFUSED_WRITE_LIFE_MS) throw memory.refusal.error;
    }
    const answered = await write().catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'ERR_INVALID_OBJECT')
        remember(id, { digest, present, refusal: { error, atMs: clock.nowMs() } });
      throw error;
    });
    // What the write changed shows in the cache later: then it is compared once more, by the store.
    remember(id, { digest, present });
    return answered;
  }

  return {
    apply: (desired, present) => {
      const id = `${desired.kind} ${formatKey(keyOf(desired))}`;
      return writeOnce(id, desired, present, () => store.apply(desired, options));
    },
    applyStatus: (desired, present) => {
      const id = `status of ${desired.kind} ${formatKey(keyOf(desired))}`;
      return writeOnce(id, desired, present, () => store.applyStatus(desired, options));
    },
    async remove(object) {
      const { kind, metadata } = object;
      await store.delete(kind, keyOf(object), metadata?.uid === undefined ? {} : { uid: metadata.uid });
      memories.delete(`${kind} ${formatKey(keyOf(object))}`);
      memories.delete(`status of ${kind} ${formatKey(keyOf(object))}`);
    },
  };
}
