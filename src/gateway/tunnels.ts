/** The connections that are open: so that a change of mind reaches them too, and that each leaves one closing record. */
import { REASONS, type Reason } from '../api/reasons.ts';
import type { ClosingRecord } from './messages.ts';
import type { Routes } from './routes.ts';

/** Why a connection that was allowed is allowed no longer. */
export interface Revocation {
  readonly reason: Reason;
  readonly message: string;
}

export interface Tunnel {
  /** Where a local client connected from; absent for a client of another peer. */
  readonly client?: string | undefined;
  /** Asks the decision of this end again; undefined while the answer is still yes. */
  recheck(routes: Routes): Revocation | undefined;
  /** Resets both sides. */
  abort(revocation: Revocation): void;
}

export interface TunnelTable {
  add(tunnel: Tunnel): void;
  remove(tunnel: Tunnel): void;
  /** Cuts what `routes` no longer allow. */
  recheck(routes: Routes): void;
  /** The same for the connections of clients at these addresses: somebody else may have the address now. */
  recheckClients(addresses: ReadonlySet<string>, routes: Routes): void;
  /** Counts a connection that is being opened as one that is open, until the result is called. */
  opening(): () => void;
  /** Cuts all of them, and those that are added later (`DRAINED` at the end of a drain). */
  abortAll(revocation: Revocation): void;
  /** Resolves when none is left, or at the deadline. */
  whenEmpty(deadlineMs: number): Promise<void>;
}

export function makeTunnelTable(): TunnelTable {
  const open = new Set<Tunnel>();
  const waiting = new Set<() => void>();
  /** Set for good: connections that were being opened while all others were cut are cut as they come. */
  let over: Revocation | undefined;
  let opening = 0;

  function recheckAll(tunnels: readonly Tunnel[], routes: Routes): void {
    for (const tunnel of tunnels) {
      const revocation = tunnel.recheck(routes);
      if (revocation !== undefined) tunnel.abort(revocation);
    }
  }

  const isEmpty = (): boolean => open.size + opening === 0;
  function tellEmpty(): void {
    if (isEmpty()) waiting.forEach((resolve) => resolve());
  }

  return {
    add(tunnel) {
      open.add(tunnel);
      if (over !== undefined) tunnel.abort(over);
    },
    remove(tunnel) {
      open.delete(tunnel);
      tellEmpty();
    },
    recheck: (routes) => recheckAll([...open], routes),
    recheckClients(addresses, routes) {
      const theirs = [...open].filter(({ client }) => client !== undefined && addresses.has(client));
      recheckAll(theirs, routes);
    },
    opening() {
      let isCounted = true;
      opening++;
      return () => {
        if (!isCounted) return;
        isCounted = false;
        opening--;
        tellEmpty();
      };
    },
    abortAll(revocation) {
      over = revocation;
      for (const tunnel of [...open]) tunnel.abort(revocation);
    },
    whenEmpty(deadlineMs) {
      if (isEmpty()) return Promise.resolve();
      return new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, deadlineMs);
        waiting.add(done);
      });
    },
  };
}

/** What a closing record says of a refusal that came before any tunnel. */
export function refusalRecord(input: Omit<ClosingRecord, 'opened' | 'sentBytes' | 'receivedBytes'>): ClosingRecord {
  const durationMs = Math.round(input.durationMs);
  return { ...input, durationMs, opened: false, sentBytes: 0, receivedBytes: 0 };
}

export const DRAIN_REVOCATION: Revocation = { reason: REASONS.Drained, message: 'The gateway is shutting down.' };
