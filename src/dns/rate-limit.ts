/** Replies over UDP for each source prefix: a source can be forged, and answers are larger than questions. */
import { makeBucket, type Bucket } from '../runtime/bucket.ts';
import { REPLIES_PER_SECOND_PER_PREFIX, REPLY_BURST_PER_PREFIX, REPLY_PREFIXES_MAX } from './limits.ts';

export interface ReplyLimiter {
  /** Takes one reply to `address` (see `Client.address`) from its prefix; false when there is none left. */
  take(address: string): boolean;
}

export interface ReplyLimiterOptions {
  /** A clock that never goes back, in milliseconds. */
  readonly nowMs: () => number;
  readonly repliesPerSecond?: number;
  readonly burst?: number;
  readonly prefixesMax?: number;
}

/** A token bucket for each /24 (IPv4) or /56 (IPv6), which is about one network each. */
export function makeReplyLimiter({
  nowMs,
  repliesPerSecond = REPLIES_PER_SECOND_PER_PREFIX,
  burst = REPLY_BURST_PER_PREFIX,
  prefixesMax = REPLY_PREFIXES_MAX,
}: ReplyLimiterOptions): ReplyLimiter {
  /** In the order of use: the first is the one to forget. */
  const buckets = new Map<string, Bucket>();
  return {
    take(address) {
      const prefix = toPrefix(address);
      const bucket = buckets.get(prefix) ?? makeBucket({ perSecondMax: repliesPerSecond, burstMax: burst, now: nowMs });
      buckets.delete(prefix);
      buckets.set(prefix, bucket);
      if (buckets.size > prefixesMax) buckets.delete(buckets.keys().next().value ?? prefix);
      return bucket.take();
    },
  };
}

/** `192.0.2` or the first 56 bits of an IPv6 address. */
export function toPrefix(address: string): string {
  if (!address.includes(':')) return address.slice(0, address.lastIndexOf('.'));
  const [head = '', tail] = address.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const groups = [...first, ...Array<string>(zeros).fill('0'), ...last].slice(0, 4);
  return groups.map((group, index) => toGroup(group, index)).join(':');
}

/** Of the fourth group the first eight bits. */
function toGroup(group: string, index: number): string {
  const value = Number.parseInt(group, 16);
  return (index === 3 ? value & 0xff00 : value).toString(16);
}
