/** Who may ask a gateway for a connection now, over which TLS connection, and what it means when nothing comes of it. */
import { AppError } from '../../api/errors.ts';
import { REASONS, type Reason } from '../../api/reasons.ts';
import { reasonOfTlsError } from '../../fabric/tls.ts';
import type { GatewayConnection } from './connection.ts';
import type { KeptConnections } from './kept.ts';
import { OPENING_PER_GATEWAY_MAX, WAITING_PER_GATEWAY_MAX } from './limits.ts';
import { makeTurnstile } from './turnstile.ts';

export interface TunnelFailure {
  readonly ok: false;
  readonly reason: Reason;
  readonly message: string;
  /** The gateway lives, and has said nothing in the time that it was given. */
  readonly overdue?: boolean;
  /** It was not asked: others were before it for as long. */
  readonly unasked?: boolean;
}

export type Dialled = { readonly ok: true; readonly connection: GatewayConnection } | TunnelFailure;

export interface OpenerOptions {
  readonly peer: string;
  /** `host:port` of the gateway. */
  readonly address: string;
  readonly now: () => number;
  readonly kept: KeptConnections;
  connect(signal: AbortSignal): Promise<Dialled>;
}

export interface Opener {
  /**
   * In turn, for which it waits no longer than for the answer after it, and over a connection that has answered before, if there is
   * one; over a new one, should that be closing just now.
   * Nothing of a client is sent by `run` before the gateway's yes, so it may always run again. Never rejects.
   */
  run<T>(timeoutMs: number, run: Run<T>): Promise<T | TunnelFailure>;
  /** The gateway is lost: whoever waits for it tries the next one now. */
  giveUp(): void;
}

/** Rejects with what its connection rejects with. */
export type Run<T> = (connection: GatewayConnection, leftMs: () => number) => Promise<T | TunnelFailure>;

export function makeOpener({ peer, address, now, kept, connect }: OpenerOptions): Opener {
  const turnstile = makeTurnstile({ atOnceMax: OPENING_PER_GATEWAY_MAX, waitingMax: WAITING_PER_GATEWAY_MAX });
  const opening = new Set<GatewayConnection>();
  const lost = new AbortController();

  async function runInTurn<T>(timeoutMs: number, run: Run<T>): Promise<T | TunnelFailure> {
    const leave = await turnstile.enter(timeoutMs);
    if (leave === undefined) {
      return {
        ok: false,
        reason: REASONS.Overloaded,
        message: `${turnstile.waiting} connections wait for ${address}.`,
        unasked: true,
      };
    }
    const endsMs = now() + timeoutMs;
    const leftMs = (): number => Math.max(1, Math.ceil(endsMs - now()));
    try {
      const present = kept.takeNewest();
      const outcome = present === undefined ? 'lost' : await tryOver(present, () => run(present, leftMs));
      if (outcome === 'late') return overdue(timeoutMs);
      if (outcome !== 'lost') return outcome;
      const dialled = await connect(AbortSignal.any([lost.signal, AbortSignal.timeout(leftMs())]));
      if (!dialled.ok) return now() >= endsMs ? overdue(timeoutMs) : dialled;
      const { connection } = dialled;
      const last = await tryOver(connection, () => run(connection, leftMs));
      if (last === 'late') return overdue(timeoutMs);
      return last === 'lost' ? closed() : last;
    } finally {
      leave();
    }
  }

  /** @returns `lost` where the connection ended without an answer, `late` where none came in time. */
  async function tryOver<T>(
    connection: GatewayConnection,
    run: () => Promise<T>,
  ): Promise<T | TunnelFailure | 'lost' | 'late'> {
    opening.add(connection);
    try {
      return await run();
    } catch (error) {
      connection.destroy();
      if (!(error instanceof AppError)) return connection.isUsed ? 'lost' : refusedByTls(error);
      if (error.code === 'ERR_MALFORMED') return { ok: false, reason: REASONS.Malformed, message: error.message };
      return error.code === 'ERR_TIMEOUT' ? 'late' : 'lost';
    } finally {
      opening.delete(connection);
    }
  }

  function refusedByTls(error: unknown): TunnelFailure {
    return { ok: false, reason: reasonOfLoss(error), message: `${address}: ${(error as Error).message}` };
  }

  function overdue(timeoutMs: number): TunnelFailure {
    const message = `${peer} has not answered in ${timeoutMs} ms.`;
    return { ok: false, reason: REASONS.PeerUnreachable, message, overdue: true };
  }

  function closed(): TunnelFailure {
    return {
      ok: false,
      reason: REASONS.PeerUnreachable,
      message: `${address} closed the connection without an answer.`,
    };
  }

  return {
    run: runInTurn,
    giveUp() {
      lost.abort();
      for (const connection of opening) connection.destroy();
    },
  };
}

function reasonOfLoss(error: unknown): Reason {
  const reason = error instanceof Error ? reasonOfTlsError(error) : REASONS.PeerUnreachable;
  return reason === REASONS.Aborted ? REASONS.PeerUnreachable : reason;
}
