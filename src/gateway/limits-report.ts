/** Says now and then how near the limits of the data plane are, and what was refused at them; silent while nothing changes. */
import { isDeepStrictEqual } from 'node:util';
import type { Account } from './account.ts';
import { HANDSHAKES_MAX, HANDSHAKES_WAITING_MAX, LIMITS_TELL_MS } from './limits.ts';
import type { LimitsReport } from './messages.ts';
import type { LimitUsage, PeerBounds } from './peer-bounds.ts';

export interface LimitsReporter {
  /** Counts a refusal at a limit that is not one peer's. */
  refuse(limit: string): void;
  close(): void;
}

export interface LimitsReportOptions {
  readonly account: Account;
  readonly bounds: PeerBounds;
  /** Now. */
  handshakes(): { readonly inFlight: number; readonly waiting: number };
  tell(report: LimitsReport): void;
  /** Tests shorten it. */
  readonly everyMs?: number;
}

export function startLimitsReport(options: LimitsReportOptions): LimitsReporter {
  const { account, bounds, handshakes, tell, everyMs = LIMITS_TELL_MS } = options;
  const refused = new Map<string, number>();
  let last: LimitsReport | undefined;

  function usagesOfAll(): LimitUsage[] {
    const { inFlight, waiting } = handshakes();
    const refusedForPlace = refused.get('handshakes') ?? 0;
    const own: LimitUsage[] = [
      { limit: 'handshakes', peer: '', ratio: inFlight / HANDSHAKES_MAX, refused: refusedForPlace },
      { limit: 'handshakes_waiting', peer: '', ratio: waiting / HANDSHAKES_WAITING_MAX, refused: 0 },
    ];
    for (const [limit, count] of refused) {
      // Of one neighbourhood, which is not named: that it was reached is all there is to say.
      if (limit !== 'handshakes') own.push({ limit, peer: '', ratio: 1, refused: count });
    }
    refused.clear();
    return own;
  }

  function look(): void {
    const report = {
      usages: [...usagesOfAll(), ...bounds.report()],
      bufferedBytes: [...account.peers()],
      bufferedBytesTotal: account.bytes,
    };
    const isNews = report.usages.some((usage) => usage.refused > 0) || !isDeepStrictEqual(report, last);
    last = report;
    if (isNews) tell(report);
  }

  const timer = setInterval(look, everyMs);
  // Nothing is lost by an end of the process before the next look.
  timer.unref();
  return {
    refuse: (limit) => void refused.set(limit, (refused.get(limit) ?? 0) + 1),
    close: () => clearInterval(timer),
  };
}
