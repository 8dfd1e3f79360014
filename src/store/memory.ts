/** A store that forgets: for tests and dry runs. It behaves as the others do, since it is the same engine. */
import { randomUUID } from 'node:crypto';
import { findRefusals } from '../api/validation/validate.ts';
import { makeEngine } from './engine.ts';
import type { Store } from './store.ts';

export interface MemoryStoreOptions {
  /** Wall clock, for creation timestamps. */
  readonly nowMs?: () => number;
  readonly uid?: () => string;
}

export function makeMemoryStore({ nowMs = Date.now, uid = randomUUID }: MemoryStoreOptions = {}): Store {
  const persistence = { save: () => Promise.resolve(), remove: () => Promise.resolve() };
  return makeEngine({ validate: findRefusals, persistence, nowMs, uid });
}
