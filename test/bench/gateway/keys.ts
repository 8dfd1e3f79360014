/** What the gateway benchmark measures, and whom it compares with: the names in its result. */

import type { KeyFacts, SampleOf } from '../samples.ts';

/** F: from the client to the service. R: back. CPU is user and system time of both gateways. */
export const KEYS = {
  cpu_f1: { unit: 's/GB', digits: 3, title: 'CPU, F, 1 stream' },
  cpu_r1: { unit: 's/GB', digits: 3, title: 'CPU, R, 1 stream' },
  cpu_f4: { unit: 's/GB', digits: 3, title: 'CPU, F, 4 streams' },
  cpu_r4: { unit: 's/GB', digits: 3, title: 'CPU, R, 4 streams' },
  cpu_f16: { unit: 's/GB', digits: 3, title: 'CPU, F, 16 streams' },
  cpu_r16: { unit: 's/GB', digits: 3, title: 'CPU, R, 16 streams' },
  gbit_f1: { unit: 'Gbit/s', digits: 2, title: 'throughput, F, 1 stream' },
  gbit_r1: { unit: 'Gbit/s', digits: 2, title: 'throughput, R, 1 stream' },
  gbit_f4: { unit: 'Gbit/s', digits: 2, title: 'throughput, F, 4 streams' },
  gbit_r4: { unit: 'Gbit/s', digits: 2, title: 'throughput, R, 4 streams' },
  gbit_f16: { unit: 'Gbit/s', digits: 2, title: 'throughput, F, 16 streams' },
  gbit_r16: { unit: 'Gbit/s', digits: 2, title: 'throughput, R, 16 streams' },
  tunnels_1: { unit: '1/s', digits: 0, title: 'new tunnels, 1 in flight' },
  tunnels_32: { unit: '1/s', digits: 0, title: 'new tunnels, 32 in flight' },
  cpu_per_tunnel_32: { unit: 'us', digits: 0, title: 'CPU of one of those 32' },
  p99_tunnels_32: { unit: 'ms', digits: 2, title: 'p99 of those 32' },
  p50_paced: { unit: 'ms', digits: 2, title: 'p50, paced exchange' },
  p99_paced: { unit: 'ms', digits: 2, title: 'p99, paced exchange' },
  p99_paced_beside_bulk: { unit: 'ms', digits: 2, title: 'p99, paced, beside bulk' },
  kib_idle: { unit: 'KiB', digits: 1, title: 'memory of an idle tunnel' },
  mib_fresh: { unit: 'MiB', digits: 0, title: 'memory after the start' },
} as const satisfies Readonly<Record<string, KeyFacts>>;

export type Key = keyof typeof KEYS;
export const ALL_KEYS = Object.keys(KEYS) as readonly Key[];

/** What the result divides ours by a rival's for. The others are in its `rounds` and in the table. */
export const RATIO_KEYS = [
  ...(['cpu_f1', 'cpu_r1', 'cpu_f16', 'cpu_r16', 'gbit_f1', 'gbit_r1', 'gbit_f16', 'gbit_r16'] as const),
  ...(['tunnels_1', 'tunnels_32', 'cpu_per_tunnel_32', 'p99_tunnels_32', 'p50_paced', 'kib_idle'] as const),
] as const satisfies readonly Key[];

/** What it gives of ours as it is. */
export const ABSOLUTE_KEYS = [...RATIO_KEYS, 'p99_paced', 'p99_paced_beside_bulk'] as const satisfies readonly Key[];

/** What `--against` takes, and the rivals that each stands for. */
export const FAMILIES = {
  haproxy: ['haproxy2', 'haproxy3'],
  envoy: ['envoy-tcp', 'envoy-h2'],
  clusterlink: ['clusterlink-go', 'clusterlink-envoy'],
  pipe: ['pipe'],
} as const;

export type Family = keyof typeof FAMILIES;
export type RivalName = (typeof FAMILIES)[Family][number];
export type SystemName = RivalName | 'ours';
export const ALL_FAMILIES = Object.keys(FAMILIES) as readonly Family[];

/** What one system was measured at in one round. */
export type Sample = SampleOf<Key>;
