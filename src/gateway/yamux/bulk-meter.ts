/** Whether so much goes over a session that a further stream had better take another one. Pure: its clock is the caller's. */
import { BULK_BYTES, BULK_FOR_MS, BULK_WITHIN_MS } from './limits.ts';

export interface BulkMeter {
  /** Payload has passed, in either direction. */
  add(bytes: number): void;
  readonly isBulk: boolean;
}

export function makeBulkMeter(now: () => number): BulkMeter {
  let bytesSince = 0;
  let sinceMs = -Infinity;
  let bulkMs = -Infinity;
  return {
    add(bytes) {
      bytesSince += bytes;
      if (bytesSince < BULK_BYTES) return;
      const nowMs = now();
      if (nowMs - sinceMs <= BULK_WITHIN_MS) bulkMs = nowMs;
      sinceMs = nowMs;
      bytesSince = 0;
    },
    get isBulk() {
      return now() - bulkMs <= BULK_FOR_MS;
    },
  };
}
