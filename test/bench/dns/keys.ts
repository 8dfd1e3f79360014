/** What the DNS benchmark measures, whom it compares with, and what is to be reached: the names in its result. */

import type { KeyFacts, SampleOf } from '../samples.ts';

/** CPU is user and system time of the whole process of a responder, its children too. */
export const KEYS = {
  qps: { unit: '1/s', digits: 0, title: 'queries a second, at most' },
  cpu: { unit: 'us', digits: 2, title: 'CPU of one of those' },
  lost: { unit: '', digits: 0, title: 'lost of those' },
  p50_20k: { unit: 'ms', digits: 3, title: 'p50 at 20,000 a second' },
  p99_20k: { unit: 'ms', digits: 3, title: 'p99 at 20,000 a second' },
  lost_20k: { unit: '', digits: 0, title: 'lost of those 20,000 a second' },
  rss_mib: { unit: 'MiB', digits: 0, title: 'memory after that' },
} as const satisfies Readonly<Record<string, KeyFacts>>;

export type Key = keyof typeof KEYS;
export const ALL_KEYS = Object.keys(KEYS) as readonly Key[];

/** What the result divides ours by a rival's for. */
export const RATIO_KEYS = ['qps', 'cpu', 'p99_20k'] as const satisfies readonly Key[];
export type RatioKey = (typeof RATIO_KEYS)[number];

/** What `--against` takes, and the rivals that each stands for. */
export const FAMILIES = {
  dns2: ['dns2'],
  echo: ['echo'],
  nsd: ['nsd'],
  coredns: ['coredns', 'coredns-cache'],
} as const;

export type Family = keyof typeof FAMILIES;
export type RivalName = (typeof FAMILIES)[Family][number];
export type SystemName = RivalName | 'ours';
export const ALL_FAMILIES = Object.keys(FAMILIES) as readonly Family[];

/** What one system was measured at in one round. */
export type Sample = SampleOf<Key>;

/** What a change of one import was measured at: absolute, milliseconds. */
export const CHANGE_KEYS = {
  change_ms: 'from the request until the new answer, median',
  change_max_ms: 'the same, longest',
  write_ms: 'the API server alone: the request until its own answer, median',
  change_blocked_ms:
    'longest wait of a client that asks every millisecond meanwhile, without its own lateness, median of the changes',
  change_blocked_max_ms: 'the same, longest of all changes',
  quiet_blocked_ms: 'the same while something that is no import is written, median',
  quiet_blocked_max_ms: 'the same, longest',
} as const;
export type ChangeKey = keyof typeof CHANGE_KEYS;
export type ChangeSample = Readonly<Record<ChangeKey, number>>;

export type Bound = { readonly atLeast: number } | { readonly atMost: number };

export interface RatioTarget {
  readonly rival: RivalName;
  readonly key: RatioKey;
  readonly bound: Bound;
}

export const RATIO_TARGETS: readonly RatioTarget[] = [
  { rival: 'dns2', key: 'qps', bound: { atLeast: 1.7 } },
  { rival: 'echo', key: 'qps', bound: { atLeast: 0.85 } },
  { rival: 'coredns', key: 'qps', bound: { atLeast: 1.6 } },
  { rival: 'coredns', key: 'cpu', bound: { atMost: 0.55 } },
  { rival: 'coredns-cache', key: 'qps', bound: { atLeast: 1.1 } },
  { rival: 'coredns-cache', key: 'cpu', bound: { atMost: 0.85 } },
  { rival: 'nsd', key: 'p99_20k', bound: { atMost: 4 } },
];

export const CHANGE_TARGETS: readonly { readonly key: ChangeKey; readonly bound: Bound }[] = [
  { key: 'change_max_ms', bound: { atMost: 50 } },
  { key: 'change_blocked_ms', bound: { atMost: 1 } },
];

export function isReached(value: number, bound: Bound): boolean {
  return 'atLeast' in bound ? value >= bound.atLeast : value <= bound.atMost;
}
