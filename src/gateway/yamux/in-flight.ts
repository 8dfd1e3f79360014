/**
 * How much of what a session has written may be under way to the other end. Pure: its clock is the caller's.
 *
 * Kernels take megabytes that their path does not: whatever is written then, a key that was pressed, a ping, a reset, waits behind
 * all of it. So now and then a ping goes out behind the data, a mark. Its answer says that everything before it has arrived, hence
 * how much the path takes, and no more than that is put into it:
 *
 *     limit = rate x (1.25 round trips + 15 ms)
 *
 * where the rate is the highest of late, and the round trip the least: a path that has room shows it, since more than it needed was
 * under way. Until a first queue is seen it may be much more. What is the path's and what a queue of our own making can be told apart only with the queue gone, so once in
 * {@link ROUND_TRIP_SPAN_MS} it is let run empty. Between gateways of one machine or one rack no limit is ever reached.
 */
import {
  FRAME_BYTES_MAX,
  IN_FLIGHT_BYTES_FIRST,
  IN_FLIGHT_BYTES_MIN,
  IN_FLIGHT_QUEUE_MS,
  IN_FLIGHT_ROUND_TRIPS,
  IN_FLIGHT_ROUND_TRIPS_FIRST,
  MARK_AFTER_MS,
  MARKS_AWAITED_MAX,
  PROBE_AGAIN_AFTER_MS,
  RATE_SPAN_MS,
  ROUND_TRIP_SPAN_MS,
} from './limits.ts';
import { makeRecentMinimum } from './recent-minimum.ts';

/** A ping behind so many bytes. */
export interface Mark {
  readonly atBytes: number;
  readonly sentMs: number;
  /** The last one that was answered before this was sent: the rate is that between the two. */
  readonly before: { readonly atBytes: number; readonly sentMs: number; readonly answeredMs: number } | undefined;
  /** Somebody waited to send: what arrives until its answer is all that the path takes. */
  readonly isFull: boolean;
  /** It was sent behind nothing that waits. */
  readonly isProbe: boolean;
}

export interface InFlight {
  /** Written to the socket. */
  sent(bytes: number): void;
  /** Whether more may be written, if up to so much beyond the limit is allowed. */
  hasRoom(beyondBytes: number): boolean;
  /**
   * A frame longer than {@link FRAME_BYTES_MAX} should be no longer than this, whole bytes: marks lie between frames, and none should go
   * beyond the limit. May be negative.
   */
  readonly frameBytesMax: number;
  /** Somebody has more to send than may be written, here or by the socket. */
  wait(nowMs: number): void;
  /** It is time for a mark. */
  readonly isMarkDue: boolean;
  /** It is to be sent now, and answered once. */
  mark(nowMs: number): Mark;
  /** @param leastRttMs - measured before there was any data. */
  answered(mark: Mark, at: { readonly nowMs: number; readonly leastRttMs: number | undefined }): void;
  readonly limitBytes: number;
}

export function makeInFlight(): InFlight {
  /** The time that the path takes for one byte, where it is full: the least is the highest rate. */
  const pace = makeRecentMinimum(RATE_SPAN_MS);
  let sentBytes = 0;
  let arrivedBytes = 0;
  let last: Mark['before'];
  let markedBytes = 0;
  let awaited = 0;
  /** The round trip without a queue, as far as is known. */
  let baseMs = Infinity;
  let limitBytes = IN_FLIGHT_BYTES_FIRST;
  let probeBytes = 0;
  let probedMs = -Infinity;
  let isWaiting = false;
  let isProbing = false;
  /** No queue was seen yet: the path may take many times more. */
  let isFirst = true;
  let markAfterBytes = IN_FLIGHT_BYTES_FIRST / MARKS_AWAITED_MAX;

  const underWayBytes = (): number => sentBytes - arrivedBytes;
  const boundBytes = (): number => (isProbing ? Math.min(probeBytes, limitBytes) : limitBytes);
  const isBlocked = (): boolean => isWaiting && underWayBytes() >= boundBytes();

  /** Answers may come in one piece, and what was sent in one piece may come spread: the slower of the two is what the path did. */
  function measure({ atBytes, sentMs, before, isFull }: Mark, nowMs: number): void {
    if (before === undefined || atBytes <= before.atBytes) return;
    const elapsedMs = Math.max(nowMs - before.answeredMs, sentMs - before.sentMs, 0.1);
    const msPerByte = elapsedMs / (atBytes - before.atBytes);
    if (isFull || pace.value === undefined || msPerByte < pace.value) pace.add(msPerByte, nowMs);
  }

  /** With the queue that the limit allows. */
  const longestMs = (): number => IN_FLIGHT_ROUND_TRIPS * baseMs + IN_FLIGHT_QUEUE_MS;

  function judge(rttMs: number, isProbe: boolean, leastRttMs: number): void {
    if (baseMs === Infinity) baseMs = leastRttMs;
    baseMs = isProbe ? rttMs : Math.min(baseMs, rttMs);
    if (isProbe) isProbing = false;
    if (rttMs > longestMs()) isFirst = false;
  }

  function probeAfter(ms: number, nowMs: number): void {
    if (isProbing || nowMs - probedMs < ms) return;
    isProbing = probedMs > -Infinity;
    probedMs = nowMs;
  }

  function bound(): void {
    if (pace.value === undefined) return;
    const bytesPerMs = 1 / pace.value;
    const roundTrips = isFirst ? IN_FLIGHT_ROUND_TRIPS_FIRST : IN_FLIGHT_ROUND_TRIPS;
    const byRateBytes = bytesPerMs * (roundTrips * baseMs + IN_FLIGHT_QUEUE_MS);
    limitBytes = Math.max(byRateBytes, isFirst ? IN_FLIGHT_BYTES_FIRST : IN_FLIGHT_BYTES_MIN);
    // Surely less than the path holds by itself.
    probeBytes = Math.max((bytesPerMs * baseMs) / 2, IN_FLIGHT_BYTES_MIN / 2);
    markAfterBytes = Math.max(limitBytes / MARKS_AWAITED_MAX, bytesPerMs * MARK_AFTER_MS);
  }

  return {
    sent(bytes) {
      sentBytes += bytes;
    },
    hasRoom: (beyondBytes) => underWayBytes() < boundBytes() + beyondBytes,
    get frameBytesMax() {
      return Math.floor(Math.min(boundBytes() - underWayBytes(), markAfterBytes));
    },
    wait(nowMs) {
      isWaiting = true;
      if (isBlocked()) probeAfter(ROUND_TRIP_SPAN_MS, nowMs);
    },
    get isMarkDue() {
      if (awaited >= MARKS_AWAITED_MAX) return false;
      // Whoever is blocked is so until an answer.
      return sentBytes - markedBytes >= markAfterBytes || (awaited === 0 && isBlocked());
    },
    mark(nowMs) {
      const isProbe = isProbing && underWayBytes() <= probeBytes + FRAME_BYTES_MAX;
      const mark = { atBytes: sentBytes, sentMs: nowMs, before: last, isFull: isWaiting, isProbe };
      markedBytes = sentBytes;
      awaited++;
      isWaiting = false;
      return mark;
    },
    answered(mark, { nowMs, leastRttMs }) {
      awaited--;
      arrivedBytes = mark.atBytes;
      measure(mark, nowMs);
      last = { atBytes: mark.atBytes, sentMs: mark.sentMs, answeredMs: nowMs };
      judge(nowMs - mark.sentMs, mark.isProbe, leastRttMs ?? Infinity);
      bound();
      // There is a longer queue than ours alone would be: the path is another one, or others are on it.
      const isStrange = nowMs - mark.sentMs > 2 * longestMs() && limitBytes > IN_FLIGHT_BYTES_MIN;
      if (!isFirst && isStrange) probeAfter(PROBE_AGAIN_AFTER_MS, nowMs);
    },
    get limitBytes() {
      return limitBytes;
    },
  };
}
