/** The importer's side with one peer: keeps an exchange open while the peer can be reached, and folds what it says. */
import { REOPEN_MAX_MS, REOPEN_MIN_MS, SNAPSHOT_TIMEOUT_MS } from './limits.ts';
import { beginStream, expire, haveOf, nextDueMs, receive, type Ledger } from './ledger.ts';
import { parseExporterMessage, type ImporterMessage } from './messages.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ExchangeStream, OpenExchange } from './transport.ts';

export type OwnReport = Omit<Extract<ImporterMessage, { op: 'report' }>, 'op'>;

export interface ExchangeClientOptions {
  readonly peer: string;
  readonly open: OpenExchange;
  readonly clock: Clock;
  /** What was known of the peer before this process began. */
  readonly ledger: Ledger;
  /** The ledger changed and holds no half-arrived snapshot. */
  onChange(ledger: Ledger): void;
  onProblem(problem: string): void;
}

export interface ExchangeClient {
  /** Whether a session to the peer is open: nothing is tried without one. */
  setReachable(reachable: boolean): void;
  /** What this peer uses of the other and finds wrong with it; said whole, on every change and on every new stream. */
  setReport(report: OwnReport): void;
  close(): void;
}

export function makeExchangeClient(options: ExchangeClientOptions): ExchangeClient {
  const { peer, open, clock, onChange, onProblem } = options;
  let { ledger } = options;
  let report: OwnReport = { conflicts: [], imports: [] };
  let reachable = false;
  let closed = false;
  let stream: { readonly lines: ExchangeStream; opened: boolean } | undefined;
  let reopenMs = REOPEN_MIN_MS;
  let cancelReopen = (): void => undefined;
  let cancelSnapshotTimeout = (): void => undefined;
  let cancelExpiry = (): void => undefined;

  function adopt(next: Ledger): void {
    const changed = next.entries !== ledger.entries || next.digest !== ledger.digest || next.epoch !== ledger.epoch;
    ledger = next;
    cancelExpiry();
    const dueMs = nextDueMs(ledger);
    if (dueMs !== undefined) {
      cancelExpiry = clock.after(Math.max(0, dueMs - clock.nowMs()), () => adopt(expire(ledger, clock.nowMs())));
    }
    if (changed) onChange(ledger);
  }

  function connect(): void {
    if (!reachable || closed || stream !== undefined) return;
    const current = {
      opened: false,
      lines: open(peer, {
        onOpened() {
          if (stream !== current) return;
          current.opened = true;
          ledger = beginStream(ledger);
          current.lines.send({ op: 'watch', have: haveOf(ledger) });
          current.lines.send({ op: 'report', ...report });
        },
        onLine(line) {
          if (stream === current) digestLine(line);
        },
        onClosed(reason) {
          if (stream === current) lose(reason);
        },
      }),
    };
    stream = current;
    cancelSnapshotTimeout = clock.after(SNAPSHOT_TIMEOUT_MS, () => breakStream('no complete snapshot in time'));
  }

  function digestLine(line: unknown): void {
    try {
      const step = receive(ledger, parseExporterMessage(line), clock.nowMs());
      if (!step.ok) return breakStream(step.problem);
      if (step.ledger.arriving === undefined) {
        cancelSnapshotTimeout();
        reopenMs = REOPEN_MIN_MS;
      }
      adopt(step.ledger);
    } catch (error) {
      breakStream(error instanceof Error ? error.message : String(error));
    }
  }

  /** The peer said something that cannot be: what it said before stays, and it is asked anew. */
  function breakStream(problem: string): void {
    const broken = stream;
    onProblem(problem);
    lose(problem);
    broken?.lines.close();
  }

  function lose(reason: string): void {
    stream = undefined;
    cancelSnapshotTimeout();
    ledger = { ...ledger, arriving: undefined };
    if (!reachable || closed) return;
    if (reason !== '') onProblem(reason);
    cancelReopen = clock.after(reopenMs, connect);
    reopenMs = Math.min(REOPEN_MAX_MS, reopenMs * 2);
  }

  adopt(ledger);
  return {
    setReachable(next) {
      reachable = next;
      cancelReopen();
      if (reachable) {
        reopenMs = REOPEN_MIN_MS;
        connect();
      }
    },
    setReport(next) {
      if (JSON.stringify(next) === JSON.stringify(report)) return;
      report = next;
      if (stream?.opened) stream.lines.send({ op: 'report', ...report });
    },
    close() {
      closed = true;
      cancelReopen();
      cancelSnapshotTimeout();
      cancelExpiry();
      stream?.lines.close();
      stream = undefined;
    },
  };
}
