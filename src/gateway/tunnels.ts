/** The connections that are open: so that a change of mind reaches them too, and that each leaves one closing record. */
import { REASONS, type Reason } from '../api/reasons.ts';
import { Line, type Place } from '../runtime/line.ts';
import { REFUSED_KEPT_MAX } from './limits.ts';
import type { ClosingRecord, ConnectionSubject } from './messages.ts';
import type { Routes } from './routes.ts';

/** Why a connection that was allowed is allowed no longer. */
export interface Revocation {
  readonly reason: Reason;
  readonly message: string;
}

export interface Tunnel {
  readonly subject: ConnectionSubject;
  /** Where a local client connected from; absent for a client of another peer. */
  readonly client?: string | undefined;
  /** Among those that are open: the table's to set. */
  place?: Place | undefined;
  /** Asks the decision of this end again; undefined while the answer is still yes. */
  recheck(routes: Routes): Revocation | undefined;
  /** Resets both sides. */
  abort(revocation: Revocation): void;
  /** Its connections show after so long without a byte that they live. Said again, nothing. */
  keepAlive(idleMs: number): void;
}

/** A connection that was not opened: asked again when somebody wants to know what other policies would change. */
export interface Refused {
  readonly subject: ConnectionSubject;
  /** Whether every decision that is this peer's would be yes. */
  isAllowed(routes: Routes): boolean;
}

export interface TunnelTable {
  add(tunnel: Tunnel): void;
  remove(tunnel: Tunnel): void;
  /** Those that are open now. */
  open(): readonly Tunnel[];
  /** Remembers a connection that a decision of this peer has refused: the last {@link REFUSED_KEPT_MAX}. */
  refuse(refused: Refused): void;
  refused(): readonly Refused[];
  /** Cuts what `routes` no longer allow. */
  recheck(routes: Routes): void;
  /** The same for the connections of clients at these addresses: somebody else may have the address now. */
  recheckClients(addresses: ReadonlySet<string>, routes: Routes): void;
  /** Counts a connection that is being opened as one that is open, until the result is called. */
  opening(): () => void;
  /** Cuts those that are open. */
  abortOpen(revocation: Revocation): void;
  /** The same, and those that are added later (`DRAINED` at the end of a drain). */
  abortAll(revocation: Revocation): void;
  /** True when none has been open for `quietMs`; false at the deadline, or when the signal says so. */
  whenQuiet(wanted: {
    readonly quietMs: number;
    readonly deadlineMs: number;
    readonly signal: AbortSignal;
  }): Promise<boolean>;
}

export function makeTunnelTable(): TunnelTable {
  const open = new Line<Tunnel>();
  const refused: Refused[] = [];
  /** Called after each change of what is open. */
  const watchers = new Set<() => void>();
  /** Set for good: connections that were being opened while all others were cut are cut as they come. */
  let over: Revocation | undefined;
  let opening = 0;

  function recheckAll(tunnels: readonly Tunnel[], routes: Routes): void {
    for (const tunnel of tunnels) {
      const revocation = tunnel.recheck(routes);
      if (revocation !== undefined) tunnel.abort(revocation);
    }
  }

  function abortOpen(revocation: Revocation): void {
    for (const tunnel of open.items()) tunnel.abort(revocation);
  }

  const tell = (): void => watchers.forEach((look) => look());

  return {
    add(tunnel) {
      tunnel.place = open.join(tunnel);
      tell();
      if (over !== undefined) tunnel.abort(over);
    },
    remove(tunnel) {
      tunnel.place?.leave();
      tell();
    },
    open: () => open.items(),
    refuse(one) {
      refused.push(one);
      if (refused.length > REFUSED_KEPT_MAX) refused.shift();
    },
    refused: () => [...refused],
    recheck: (routes) => recheckAll(open.items(), routes),
    recheckClients(addresses, routes) {
      const theirs = open.items().filter(({ client }) => client !== undefined && addresses.has(client));
      recheckAll(theirs, routes);
    },
    opening() {
      let isCounted = true;
      opening++;
      tell();
      return () => {
        if (!isCounted) return;
        isCounted = false;
        opening--;
        tell();
      };
    },
    abortOpen,
    abortAll(revocation) {
      over = revocation;
      abortOpen(revocation);
    },
    whenQuiet({ quietMs, deadlineMs, signal }) {
      return new Promise((resolve) => {
        let quiet: NodeJS.Timeout | undefined;
        const look = (): void => {
          clearTimeout(quiet);
          quiet = open.size + opening === 0 ? setTimeout(() => end(true), quietMs) : undefined;
        };
        const end = (isQuiet: boolean): void => {
          clearTimeout(quiet);
          clearTimeout(deadline);
          watchers.delete(look);
          signal.removeEventListener('abort', onAbort);
          resolve(isQuiet);
        };
        const onAbort = (): void => end(false);
        const deadline = setTimeout(() => end(false), deadlineMs);
        watchers.add(look);
        look();
        if (signal.aborted) end(false);
        else signal.addEventListener('abort', onAbort);
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
