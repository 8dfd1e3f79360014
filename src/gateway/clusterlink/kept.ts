/** Connections to one gateway that wait for use. */
import type { GatewayConnection } from './connection.ts';
import { KEPT_CONNECTIONS_MAX, KEPT_IDLE_MS_MAX } from './limits.ts';

export interface KeptConnections {
  readonly size: number;
  /** Takes the one that answered last: most likely to be there still. */
  takeNewest(): GatewayConnection | undefined;
  /** Takes the one that was idle for the longest: a heartbeat keeps it alive. */
  takeOldest(): GatewayConnection | undefined;
  /** Keeps it, or destroys it where it is of no more use, or there are enough. */
  keep(connection: GatewayConnection): void;
  /** Destroys all, and those that are given back later. */
  close(): void;
}

export function makeKeptConnections({ now }: { readonly now: () => number }): KeptConnections {
  /** The oldest first. */
  let kept: GatewayConnection[] = [];
  let isClosed = false;

  function prune(): void {
    const usable = kept.filter(({ isOpen, answeredMs }) => isOpen && now() - answeredMs <= KEPT_IDLE_MS_MAX);
    for (const connection of kept) if (!usable.includes(connection)) connection.destroy();
    kept = usable;
  }

  return {
    get size() {
      prune();
      return kept.length;
    },
    takeNewest() {
      prune();
      return kept.pop();
    },
    takeOldest() {
      prune();
      return kept.shift();
    },
    keep(connection) {
      prune();
      if (isClosed || !connection.isOpen || kept.length >= KEPT_CONNECTIONS_MAX) connection.destroy();
      else kept.push(connection);
    },
    close() {
      isClosed = true;
      for (const connection of kept) connection.destroy();
      kept = [];
    },
  };
}
