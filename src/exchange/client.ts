/** The importer's side with one peer: keeps an exchange open while the peer can be reached, and folds what it says. */
import { DIGEST_INTERVAL_MIN_MS, REOPEN_MAX_MS, REOPEN_MIN_MS, REVOCATIONS_BYTES_PER_CHANGE } from './limits.ts';
import { SILENCE_TIMEOUT_MS } from './limits.ts';
import { CHANGES_AT_ONCE_MAX, CHANGES_PER_SECOND_MAX, SNAPSHOT_TIMEOUT_MS, STEADY_AFTER_MS } from './limits.ts';
import { RESUME_GRACE_MS, WITHDRAWAL_QUIET_MS } from './limits.ts';
import { acceptLoss, beginStream, expire, haveOf, receive, type Ledger, type LedgerLimit } from './ledger.ts';
import { nextDueMs } from './losses.ts';
import { EXCHANGE_FEATURES, parseExporterMessage, type ExporterMessage, type ImporterMessage } from './messages.ts';
import { makePace } from './pace.ts';
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
  /** What it knows was said whole, or compared, and is right. */
  onConfirmed?(): void;
  /** @param limit - the bound that the peer went beyond, if it is one. */
  onProblem(problem: string, limit?: LedgerLimit): void;
}

export interface ExchangeClient {
  /** Whether a session to the peer is open: nothing is tried without one. */
  setReachable(reachable: boolean): void;
  /** What this peer uses of the other and finds wrong with it; said whole, on every change and on every new stream. */
  setReport(report: OwnReport): void;
  /** Frozen: the peer is neither asked nor heard, and what is known of it stays as it is, whatever its time. */
  setFrozen(isFrozen: boolean): void;
  /** Lets go of what is held since then: {@link acceptLoss}. */
  acceptLoss(since: string): void;
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
  const { peer, open, clock, onChange, onConfirmed, onProblem } = options;
  let { ledger } = options;
  let report: OwnReport = { conflicts: [], imports: [] };
  let reachable = false;
  let closed = false;
  let frozen = false;
  let stream: Conversation | undefined;
  let reopenMs = REOPEN_MIN_MS;
  let cancelReopen = (): void => undefined;
  let cancelTimeout = (): void => undefined;
  let cancelExpiry = (): void => undefined;
  const pace = makePace({ intervalMs: 1_000 / CHANGES_PER_SECOND_MAX, burst: CHANGES_AT_ONCE_MAX });

  function adopt(next: Ledger): void {
    // A record of an arriving snapshot: nothing counts before it is complete.
    if (next === ledger) return;
    const changed =
      next.entries !== ledger.entries ||
      next.digest !== ledger.digest ||
      next.epoch !== ledger.epoch ||
      next.revocations !== ledger.revocations;
    ledger = next;
    scheduleExpiry();
    if (changed) onChange(ledger);
  }

  /** Set from the beginning, and from the end of a freeze, until the peer was heard: its losses may be over. */
  let cancelResume: (() => void) | undefined;

  function awaitWord(): void {
    cancelResume?.();
    cancelResume = ledger.losses.size === 0 ? undefined : clock.after(RESUME_GRACE_MS, endResume);
  }

  function endResume(): void {
    cancelResume?.();
    cancelResume = undefined;
    scheduleExpiry();
  }

  /** When the timer rings; undefined when none is set. Too early does no harm: then it is set again. */
  let expiryMs: number | undefined;

  function scheduleExpiry(): void {
    const nowMs = clock.nowMs();
    const isWaiting = frozen || cancelResume !== undefined;
    // What is lost now is not due before that: to look through all that is lost after each withdrawal would cost too much.
    if (!isWaiting && expiryMs !== undefined && expiryMs <= nowMs + WITHDRAWAL_QUIET_MS) return;
    cancelExpiry();
    expiryMs = isWaiting ? undefined : nextDueMs(ledger.losses);
    if (expiryMs === undefined) return;
    cancelExpiry = clock.after(Math.max(1, expiryMs - nowMs), () => {
      expiryMs = undefined;
      const next = expire(ledger, clock.nowMs());
      // A timer may be early by a millisecond, and the clock may have been set back.
      if (next === ledger) scheduleExpiry();
      else adopt(next);
    });
  }

  function connect(): void {
    if (!reachable || closed || frozen || stream !== undefined) return;
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
          current.writable = current.lines.send({ op: 'watch', have: haveOf(ledger), features: EXCHANGE_FEATURES });
          sendReport(current);
        },
        onLine(line) {
          return stream === current ? digestLine(current, line) : 0;
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

  /** @returns how long the peer has to wait before it is heard again. */
  function digestLine(current: Conversation, line: unknown): number {
    try {
      const nowMs = clock.nowMs();
      const message = parseExporterMessage(line);
      if (message.op === 'digest' && !isDigestDue(current, nowMs)) return 0;
      const restMs = ledger.arriving === undefined ? pace.spend(peer, costOf(message)) : 0;
      const step = receive(ledger, message, nowMs);
      if (!step.ok) {
        breakStream(step.problem, step.limit);
        return 0;
      }
      if (step.ledger.arriving === undefined) {
        cancelTimeout();
        cancelTimeout = clock.after(SILENCE_TIMEOUT_MS, () => breakStream('no heart beat in time'));
      }
      adopt(step.ledger);
      if (message.op === 'synced') endResume();
      if (CONFIRMATIONS.has(message.op)) onConfirmed?.();
      return restMs;
    } catch (error) {
      breakStream(error instanceof Error ? error.message : String(error));
      return 0;
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
  function breakStream(problem: string, limit?: LedgerLimit): void {
    const broken = stream;
    if (broken === undefined) return;
    lose(broken, problem, limit);
    broken.lines.close();
  }

  function lose({ openedMs }: Conversation, reason: string, limit?: LedgerLimit): void {
    stream = undefined;
    cancelTimeout();
    ledger = { ...ledger, arriving: undefined };
    if (!reachable || closed || frozen) return;
    if (reason !== '') onProblem(reason, limit);
    // Not before it has lasted: a peer that breaks every stream at once must not be asked in a hot loop.
    if (clock.nowMs() - openedMs >= STEADY_AFTER_MS) reopenMs = REOPEN_MIN_MS;
    cancelReopen();
    cancelReopen = clock.after(reopenMs, connect);
    reopenMs = Math.min(REOPEN_MAX_MS, reopenMs * 2);
  }

  awaitWord();
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
    setFrozen(isFrozen) {
      if (isFrozen === frozen) return;
      frozen = isFrozen;
      awaitWord();
      scheduleExpiry();
      if (frozen) {
        cancelReopen();
        breakStream('');
      } else connect();
    },
    acceptLoss(since) {
      adopt(acceptLoss(ledger, since));
    },
    close() {
      closed = true;
      cancelReopen();
      cancelTimeout();
      cancelExpiry();
      cancelResume?.();
      stream?.lines.close();
      stream = undefined;
    },
  };
}

/** With these a peer says that all its records were told, or that nothing has changed since (shapes §2). */
const CONFIRMATIONS: ReadonlySet<ExporterMessage['op']> = new Set(['synced', 'unchanged', 'digest']);

/** In changes of one record: revocation lists are written down whole, and may be as long as a thousand records. */
function costOf(message: ExporterMessage): number {
  if (message.op !== 'revocations') return 1;
  return 1 + Math.ceil(message.lists.reduce((sum, { length }) => sum + length, 0) / REVOCATIONS_BYTES_PER_CHANGE);
}
