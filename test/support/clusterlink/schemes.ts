/** The order in which an importer tries its sources (§5, steps 1-3), the odd first index of round-robin included. */
import type { Scheme } from './types.ts';

export interface SourceOrder {
  /** The next index; undefined when all were tried, the delayed ones too. */
  select(): number | undefined;
  /** The index that was picked last is of a peer that is not reachable: it comes last, in the order met. */
  delay(): void;
  /** Whether the delayed ones are being tried, reachable or not. */
  lastResort(): boolean;
}

/** What all connections of one Import share, for as long as the peer runs, and after the Import is gone (§8.2, 23). */
export interface Balancer {
  start(sources: { readonly scheme: Scheme; readonly count: number }): SourceOrder;
}

/** @param random - in [0, 1): where scheme `random` starts. */
export function makeBalancer(random: () => number): Balancer {
  let counter = 0;

  function first(scheme: Scheme, count: number): number {
    if (scheme === 'static') return 0;
    return scheme === 'random' ? Math.floor(random() * count) : counter % count;
  }

  return {
    start({ scheme, count }) {
      const failed = new Set<number>();
      const delayed: number[] = [];
      let picked: number | undefined;
      let resort = false;
      return {
        select() {
          if (picked !== undefined) failed.add(picked);
          if (failed.size === count) {
            resort = true;
            return delayed.shift();
          }
          // Before the first use, and by retries as well: the first connection of all goes to index 1.
          counter++;
          picked = picked === undefined ? first(scheme, count) : (picked + 1) % count;
          return picked;
        },
        delay() {
          if (picked !== undefined) delayed.push(picked);
        },
        lastResort: () => resort,
      };
    },
  };
}
