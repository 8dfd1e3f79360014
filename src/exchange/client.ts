/** The importer's side with one peer: keeps an exchange open while the peer can be reached, and folds what it says. */
import { DIGEST_INTERVAL_MIN_MS, REOPEN_MAX_MS, REOPEN_MIN_MS, SILENCE_TIMEOUT_MS } from './limits.ts';
import { SNAPSHOT_TIMEOUT_MS, STEADY_AFTER_MS } from './limits.ts';
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

/** One exchange stream, from asking for it to its end. */
interface Conversation {
  readonly lines: ExchangeStream;
  readonly openedMs: number;
  opened: boolean;
  writable: boolean;
  /** The report has changed since it was last said here. */
  reportDue: boolean;
  /** When a heart beat was compared last. */
  lastDigestMs: number;
}

export function makeExchangeClient(options: ExchangeClientOptions): ExchangeClient {
  const { peer, open, clock, onChange, onProblem } = options;
  let { ledger } = options;
  let report: OwnReport = { conflicts: [], imports: [] };
  let reachable = false;
  let closed = false;
  let stream: Conversation | undefined;
  let reopenMs = REOPEN_MIN_MS;
  let cancelReopen = (): void => undefined;
  let cancelTimeout = (): void => undefined;
  let cancelExpiry = (): void => undefined;

  function adopt(next: Ledger): void {
    // A record of an arriving snapshot: nothing counts before it is complete.
    if (next === ledger) return;
    const changed = next.entries !== ledger.entries || next.digest !== ledger.digest || next.epoch !== ledger.epoch;
    ledger = next;
    scheduleExpiry();
    if (changed) onChange(ledger);
  }

  function scheduleExpiry(): void {
    cancelExpiry();
    const dueMs = nextDueMs(ledger);
    if (dueMs === undefined) return;
    cancelExpiry = clock.after(Math.max(1, dueMs - clock.nowMs()), () => {
      const next = expire(ledger, clock.nowMs());
      // A timer may be early by a millisecond, and the clock may have been set back.
      if (next === ledger) scheduleExpiry();
      else adopt(next);
    });
  }

  function connect(): void {
    if (!reachable || closed || stream !== undefined) return;
    const current: Conversation = {
      openedMs: clock.nowMs(),
      opened: false,
      writable: true,
      reportDue: true,
      lastDigestMs: -Infinity,
      lines: open(peer, {
        onOpened() {
          if (stream !== current) return;
          current.opened = true;
          ledger = beginStream(ledger);
          current.writable = current.lines.send({ op: 'watch', have: haveOf(ledger) });
          sendReport(current);
        },
        onLine(line) {
          if (stream === current) digestLine(current, line);
        },
        onWritable() {
          current.writable = true;
          if (stream === current) sendReport(current);
        },
        onClosed(reason) {
          if (stream === current) lose(current, reason);
        },
      }),
    };
    stream = current;
    cancelTimeout = clock.after(SNAPSHOT_TIMEOUT_MS, () => breakStream('no complete snapshot in time'));
  }

  /** The newest one alone: what a slow exporter has not read of the older ones is of no use to it. */
  function sendReport(current: Conversation): void {
    if (!current.opened || !current.writable || !current.reportDue) return;
    current.reportDue = false;
    current.writable = current.lines.send({ op: 'report', ...report });
  }

  function digestLine(current: Conversation, line: unknown): void {
    try {
      const nowMs = clock.nowMs();
      const message = parseExporterMessage(line);
      if (message.op === 'digest' && !isDigestDue(current, nowMs)) return;
      const step = receive(ledger, message, nowMs);
      if (!step.ok) return breakStream(step.problem);
      if (step.ledger.arriving === undefined) {
        cancelTimeout();
        cancelTimeout = clock.after(SILENCE_TIMEOUT_MS, () => breakStream('no heart beat in time'));
      }
      adopt(step.ledger);
    } catch (error) {
      breakStream(error instanceof Error ? error.message : String(error));
    }
  }

  /** To compare costs a hash over all records: what comes sooner than an honest exporter says it is passed over. */
  function isDigestDue(current: Conversation, nowMs: number): boolean {
    const sinceMs = nowMs - current.lastDigestMs;
    // The clock may have been set back: then it is no sign of haste.
    if (sinceMs >= 0 && sinceMs < DIGEST_INTERVAL_MIN_MS) return false;
    current.lastDigestMs = nowMs;
    return true;
  }

  /** The peer said something that cannot be: what it said before stays, and it is asked anew. */
  function breakStream(problem: string): void {
    const broken = stream;
    if (broken === undefined) return;
    lose(broken, problem);
    broken.lines.close();
  }

  function lose({ openedMs }: Conversation, reason: string): void {
    stream = undefined;
    cancelTimeout();
    ledger = { ...ledger, arriving: undefined };
    if (!reachable || closed) return;
    if (reason !== '') onProblem(reason);
    // Not before it has lasted: a peer that breaks every stream at once must not be asked in a hot loop.
    if (clock.nowMs() - openedMs >= STEADY_AFTER_MS) reopenMs = REOPEN_MIN_MS;
    cancelReopen();
    cancelReopen = clock.after(reopenMs, connect);
    reopenMs = Math.min(REOPEN_MAX_MS, reopenMs * 2);
  }

  scheduleExpiry();
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
      if (stream === undefined) return;
      stream.reportDue = true;
      sendReport(stream);
    },
    close() {
      closed = true;
      cancelReopen();
      cancelTimeout();
      cancelExpiry();
      stream?.lines.close();
      stream = undefined;
    },
  };
}
