/**
 * Bounds that all workers share, such as the streams of one peer: pure. The main process leases parts of them ahead of use, so that
 * a worker decides at once, and the sum of what they may have never exceeds the bound.
 *
 *   bound = floors, one for each worker there may be + what is leased + what is free
 *
 * A worker asks for more before it needs it, and gives back what it does not need. When nothing is free, the others are asked to
 * keep less ahead.
 */
import { WORKER_FLOOR_PARTS } from './limits.ts';

/** What one worker wants to have of a bound, beyond its floor. */
export interface LeaseRequest {
  /** Comes back with the answer. */
  readonly id: number;
  readonly key: string;
  readonly boundMax: number;
  /** Less than it has: the rest is free from now on, and the worker has ceased to use it. */
  readonly wanted: number;
}

export interface LeaseAnswer extends Pick<LeaseRequest, 'id' | 'key'> {
  /** What the worker may have now. */
  readonly leased: number;
}

export interface Ledger {
  /** What the worker may have now. `tight`: workers that hold some, when it got less than it wanted. */
  ask(
    worker: number,
    request: Omit<LeaseRequest, 'id'>,
  ): { readonly leased: number; readonly tight: readonly number[] };
  /** It is gone. */
  forget(worker: number): void;
}

/** What every worker may use without asking: for the moment until its first answer. */
export function floorOf(boundMax: number, workers: number): number {
  return Math.max(1, Math.floor(boundMax / (WORKER_FLOOR_PARTS * workers)));
}

export function makeLedger({ workers }: { readonly workers: number }): Ledger {
  /** By bound, by worker. */
  const leases = new Map<string, Map<number, number>>();

  function set(key: string, worker: number, leased: number): void {
    const held = leases.get(key) ?? new Map<number, number>();
    if (leased > 0) held.set(worker, leased);
    else held.delete(worker);
    if (held.size > 0) leases.set(key, held);
    else leases.delete(key);
  }

  return {
    ask(worker, { key, boundMax, wanted }) {
      const others = [...(leases.get(key) ?? [])].filter(([id]) => id !== worker);
      const taken = others.reduce((sum, [, leased]) => sum + leased, 0);
      // In a restart there are twice as many.
      const leasable = boundMax - 2 * workers * floorOf(boundMax, workers);
      const leased = Math.max(0, Math.min(wanted, leasable - taken));
      set(key, worker, leased);
      return { leased, tight: leased < wanted ? others.map(([id]) => id) : [] };
    },
    forget(worker) {
      for (const key of [...leases.keys()]) set(key, worker, 0);
    },
  };
}
