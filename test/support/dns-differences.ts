/** Where CoreDNS' `multicluster` option answers otherwise than the fixture wants, row by row: as of CoreDNS 1.15. */
import type { Outcome } from './dns-fixture.ts';

export interface Difference extends Outcome {
  readonly why: string;
}

/** By the row's id. `coredns/README.md` has the same table. */
export const MULTICLUSTER_DIFFERENCES: Readonly<Record<string, Difference>> = {
  F07: {
    rcode: 'NOERROR',
    answers: ['10.45.0.7'],
    why: 'it gives the addresses of the service at the name of a port too',
  },
  F13: {
    rcode: 'NOERROR',
    answers: ['10.45.0.7'],
    why: 'it makes endpoint names also for imports of type ClusterSetIP',
  },
  F31: {
    rcode: 'NOERROR',
    answers: ['1.1.0'],
    why: 'it names another version of the DNS specification',
  },
};
