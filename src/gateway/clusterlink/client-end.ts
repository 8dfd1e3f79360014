/**
 * When a client's end of file is passed on. Pure.
 *
 * ClusterLink's gateways have no half-close: an end of file ends both directions, and what the service would still have said
 * is lost (reference §3.6). A client that sends its request, ends, and waits for the answer must get it; a service that waits
 * for the end must not wait for ever; and a client that has left, which looks the same, must not hold its connection for long.
 * So it is passed on when the service has fallen silent: soon after it has answered, late while it has not (ADR 0018).
 */
import { END_ANSWERED_MS, END_UNANSWERED_MS } from './limits.ts';

/** Monotonic milliseconds; undefined: never. */
export interface ClientEnd {
  /** When the client ended. */
  readonly endedMs: number;
  /** When the client's last byte was passed on. */
  readonly sentMs: number | undefined;
  /** When the service's last byte came. */
  readonly receivedMs: number | undefined;
}

/** @returns how long to wait before it is passed on; 0: now. */
export function waitBeforeEnd({ endedMs, sentMs, receivedMs }: ClientEnd, nowMs: number): number {
  const isAnswered = receivedMs !== undefined && receivedMs >= (sentMs ?? -Infinity);
  const quietSinceMs = Math.max(endedMs, receivedMs ?? -Infinity);
  return Math.max(0, quietSinceMs + (isAnswered ? END_ANSWERED_MS : END_UNANSWERED_MS) - nowMs);
}
