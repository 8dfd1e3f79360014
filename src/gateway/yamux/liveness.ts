/** Whether the other end of a session still lives, and how far away it is. */
import { AppError } from '../../api/errors.ts';
import { makeRecentMinimum } from './recent-minimum.ts';
import {
  DEAD_AFTER_MS,
  DEAD_AFTER_MS_MAX,
  DEAD_AFTER_ROUND_TRIPS,
  LATE_CHECK_MS,
  PING_AFTER_MS,
  PING_TIMEOUT_MS,
  PINGS_AWAITED_MAX,
  ROUND_TRIP_AGE_MAX_MS,
  ROUND_TRIP_SPAN_MS,
} from './limits.ts';

export interface LivenessTimings {
  readonly pingAfterMs: number;
  readonly deadAfterMs: number;
}

export const DEFAULT_TIMINGS: LivenessTimings = { pingAfterMs: PING_AFTER_MS, deadAfterMs: DEAD_AFTER_MS };

export interface LivenessOptions {
  readonly timings: LivenessTimings;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly sendPing: (value: number) => void;
  /** Called at most once, with `ERR_TIMEOUT`. */
  readonly onDead: (error: AppError) => void;
}

export interface Liveness {
  /** Any byte arrived. */
  received(): void;
  /** Any byte was written. */
  sent(): void;
  /** A ping of ours was answered; other values are ignored. */
  answered(value: number): void;
  /** A ping that tells when it is answered. Only while `takesMarks`. */
  mark(onAnswer: () => void): void;
  /** False: too many answers are awaited. */
  readonly takesMarks: boolean;
  /** @returns the round trip in milliseconds. @throws {AppError} `ERR_TIMEOUT`, `ERR_BOUND_EXCEEDED`, `ERR_STREAM_RESET`. */
  ping(): Promise<number>;
  /** Smoothed; undefined before the first answer. */
  readonly rttMs: number | undefined;
  /** The least of late: without what queues add to it. */
  readonly leastRttMs: number | undefined;
  readonly lastReceivedMs: number;
  stop(): void;
}

interface AwaitedPing {
  readonly sentMs: number;
  readonly settle?: (result: number | AppError) => void;
}

/**
 * Watches for silence:
 *
 *     bytes arrive -> (pingAfterMs without one) -> ping -> (max(deadAfterMs, 4 rtt) without one) -> dead
 *
 * It also pings when nothing was *sent* for pingAfterMs: an end that only receives would otherwise be silent to a sender
 * whose bulk data, and the ping behind it, take seconds to drain through a slow link. And where bytes come and go all the time,
 * it pings now and then: the round trip decides which session, and which peer, the next connection takes.
 */
export function startLiveness({ timings, now, sendPing, onDead }: LivenessOptions): Liveness {
  const awaited = new Map<number, AwaitedPing>();
  let lastReceivedMs = now();
  let lastSentMs = lastReceivedMs;
  let lastPingMs = lastReceivedMs;
  let unansweredMs: number | undefined;
  /** When it is looked next. */
  let checkMs = 0;
  /** Since the last byte. */
  let wasHeldUp = false;
  let rttMs: number | undefined;
  const leastRtt = makeRecentMinimum(ROUND_TRIP_SPAN_MS);
  let value = 0;
  let timer: NodeJS.Timeout | undefined;
  let verification: NodeJS.Immediate | undefined;

  const deadAfterMs = (): number =>
    Math.max(timings.deadAfterMs, Math.min(DEAD_AFTER_ROUND_TRIPS * (rttMs ?? 0), DEAD_AFTER_MS_MAX));
  const isDead = (): boolean => unansweredMs !== undefined && now() - unansweredMs >= deadAfterMs();

  function send(settle?: (result: number | AppError) => void): number {
    value = (value + 1) >>> 0;
    const sentMs = now();
    lastPingMs = sentMs;
    if (awaited.size < PINGS_AWAITED_MAX) awaited.set(value, { sentMs, ...(settle && { settle }) });
    unansweredMs ??= sentMs;
    sendPing(value);
    return value;
  }

  function schedule(): void {
    const receiveDueMs =
      unansweredMs === undefined ? lastReceivedMs + timings.pingAfterMs : unansweredMs + deadAfterMs();
    const dueMs = Math.min(receiveDueMs, lastSentMs + timings.pingAfterMs, lastPingMs + ROUND_TRIP_AGE_MAX_MS);
    checkMs = Math.max(dueMs, now());
    timer = setTimeout(check, Math.max(1, Math.ceil(dueMs - now())));
  }

  /** Of virtual machines on one host none may have run. What it took is given to the peer once, so that a dead one is not awaited for ever. */
  function forgiveStall(): void {
    const lateMs = now() - checkMs;
    if (unansweredMs === undefined || wasHeldUp || lateMs < LATE_CHECK_MS) return;
    wasHeldUp = true;
    unansweredMs = Math.min(now(), unansweredMs + lateMs);
  }

  function check(): void {
    forgiveStall();
    // Timers run before the sockets are read: after a stall of this process the peer's bytes may be waiting in the
    // kernel. They get one turn of the event loop before the peer is called dead for our own slowness.
    if (isDead()) {
      verification = setImmediate(verify);
      return;
    }
    const since = Math.min(unansweredMs === undefined ? lastReceivedMs : Infinity, lastSentMs);
    const isDue = now() - since >= timings.pingAfterMs || now() - lastPingMs >= ROUND_TRIP_AGE_MAX_MS;
    if (isDue) send();
    schedule();
  }

  function verify(): void {
    if (!isDead()) return schedule();
    const silentMs = Math.round(now() - lastReceivedMs);
    onDead(
      new AppError('ERR_TIMEOUT', `session: nothing received for ${silentMs} ms`, {
        retryable: true,
        fix: 'check that the peer runs and that the network between the gateways works',
      }),
    );
  }

  schedule();
  return {
    received() {
      lastReceivedMs = now();
      unansweredMs = undefined;
      wasHeldUp = false;
    },
    sent() {
      lastSentMs = now();
    },
    answered(answer) {
      const ping = awaited.get(answer);
      if (ping === undefined) return;
      awaited.delete(answer);
      const nowMs = now();
      const sampleMs = nowMs - ping.sentMs;
      leastRtt.add(sampleMs, nowMs);
      rttMs = rttMs === undefined ? sampleMs : rttMs + (sampleMs - rttMs) / 4;
      ping.settle?.(sampleMs);
    },
    mark(onAnswer) {
      send((result) => {
        if (typeof result === 'number') onAnswer();
      });
    },
    get takesMarks() {
      return awaited.size < PINGS_AWAITED_MAX;
    },
    ping: () =>
      new Promise((resolve, reject) => {
        if (awaited.size >= PINGS_AWAITED_MAX) {
          reject(new AppError('ERR_BOUND_EXCEEDED', `session: ${awaited.size} pings are unanswered`));
          return;
        }
        const timeout = setTimeout(() => {
          awaited.delete(sent);
          reject(new AppError('ERR_TIMEOUT', `session: no answer to a ping in ${PING_TIMEOUT_MS} ms`));
        }, PING_TIMEOUT_MS);
        const sent = send((result) => {
          clearTimeout(timeout);
          if (typeof result === 'number') resolve(result);
          else reject(result);
        });
      }),
    get rttMs() {
      return rttMs;
    },
    get leastRttMs() {
      return leastRtt.value;
    },
    get lastReceivedMs() {
      return lastReceivedMs;
    },
    stop() {
      clearTimeout(timer);
      clearImmediate(verification);
      for (const { settle } of awaited.values()) settle?.(new AppError('ERR_STREAM_RESET', 'session: ended'));
      awaited.clear();
    },
  };
}
