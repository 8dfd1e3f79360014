/**
 * Where a gateway lives (DESIGN §4): alone on a host, or as one of several pods of a cluster. What differs between the two
 * is decided by pure functions of this value, in one place each.
 */
import type { WorkloadIdentity } from './client-identity.ts';

export type Home =
  | {
      readonly kind: 'standalone';
      /** Who local clients are: one host is one identity. */
      readonly client: WorkloadIdentity;
    }
  | {
      readonly kind: 'cluster';
      /** Where clients arrive, through derived Services: the pod's addresses, or `0.0.0.0` or `::`. */
      readonly listen: readonly string[];
      /** Never dialled for an export, whatever the configuration lists: this pod, the API server. */
      readonly neverDial: readonly string[];
    };
