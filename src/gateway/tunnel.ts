/** One open connection, whichever end this gateway is: relays bytes until both sides are done, and says how it ended. */
import type { Duplex } from 'node:stream';
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import type { ClosingRecord } from './messages.ts';
import { startRelay } from './relay.ts';
import type { Routes } from './routes.ts';
import type { Revocation, Tunnel, TunnelTable } from './tunnels.ts';

export interface TunnelOptions {
  readonly subject: Pick<ClosingRecord, 'connection' | 'direction' | 'object' | 'peer'>;
  /** Who allowed it, for people. */
  readonly message: string;
  readonly openedMs: number;
  readonly table: TunnelTable;
  readonly now: () => number;
  /** The side towards the one who opened the connection. */
  readonly downstream: Duplex;
  readonly upstream: Duplex;
  recheck(routes: Routes): Revocation | undefined;
  /** Before both sides are reset by this gateway's own decision. */
  onAbort?(revocation: Revocation): void;
  /** What the other gateway said about a cut, if it did. */
  explainCut?(): { readonly reason: Reason; readonly message: string } | undefined;
}

/** Runs to the end of the connection; never rejects. */
export async function runTunnel(options: TunnelOptions): Promise<ClosingRecord> {
  const { subject, message, openedMs, table, now, downstream, upstream, recheck, onAbort, explainCut } = options;
  const relay = startRelay({ left: downstream, right: upstream });
  let revoked: Revocation | undefined;
  const tunnel: Tunnel = {
    connection: subject.connection,
    direction: subject.direction,
    object: subject.object,
    peer: subject.peer,
    openedMs,
    recheck,
    abort(revocation) {
      revoked ??= revocation;
      onAbort?.(revocation);
      relay.abort(new AppError('ERR_STREAM_RESET', `connection ${subject.connection}: ${revocation.message}`));
    },
  };
  table.add(tunnel);
  const outcome = await relay.done;
  table.remove(tunnel);
  const end =
    revoked ??
    (outcome.error === undefined ? { reason: REASONS.Done, message } : (explainCut?.() ?? toAborted(outcome.error)));
  return {
    ...subject,
    ...end,
    opened: true,
    sentBytes: outcome.leftToRightBytes,
    receivedBytes: outcome.rightToLeftBytes,
    durationMs: Math.round(now() - openedMs),
  };
}

function toAborted(error: Error): { readonly reason: Reason; readonly message: string } {
  const code = 'code' in error ? String(error.code) : error.message;
  return { reason: code === 'ERR_TIMEOUT' ? REASONS.SessionLost : REASONS.Aborted, message: code };
}
