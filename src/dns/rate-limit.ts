/** Replies over UDP for each source prefix: a source can be forged, and answers are larger than questions. */
import { groupsOf } from '../api/addresses.ts';
import { makeBucket, type Bucket } from '../runtime/bucket.ts';
import { REPLY_PREFIXES_MAX } from './limits.ts';

export interface ReplyLimiter {
  /** The replies that are left to the prefix of `address` (see `Client.address`). */
  bucketOf(address: string): Bucket;
}

export interface ReplyLimiterOptions {
  /** A clock that never goes back, in milliseconds. */
  readonly nowMs: () => number;
  readonly repliesPerSecond: number;
  /** What a prefix may take at once after a quiet second; a second's worth when absent. */
  readonly burst?: number;
  readonly prefixesMax?: number;
}

/** A token bucket for each /24 (IPv4) or /56 (IPv6), which is about one network each. */
export function makeReplyLimiter({
  nowMs,
  repliesPerSecond,
  burst = repliesPerSecond,
  prefixesMax = REPLY_PREFIXES_MAX,
}: ReplyLimiterOptions): ReplyLimiter {
  /** In the order in which they were asked for: the first is the one to forget. */
  const buckets = new Map<string, Bucket>();
  return {
    bucketOf(address) {
      const prefix = toPrefix(address);
      const bucket = buckets.get(prefix) ?? makeBucket({ perSecondMax: repliesPerSecond, burstMax: burst, now: nowMs });
      buckets.delete(prefix);
      buckets.set(prefix, bucket);
      if (buckets.size > prefixesMax) buckets.delete(buckets.keys().next().value ?? prefix);
      return bucket;
    },
  };
}

/** `192.0.2` or the first 56 bits of an IPv6 address. */
export function toPrefix(address: string): string {
  if (!address.includes(':')) return address.slice(0, address.lastIndexOf('.'));
  const [a = 0, b = 0, c = 0, d = 0] = groupsOf(address);
  return [a, b, c, d & 0xff00].map((group) => group.toString(16)).join(':');
}
