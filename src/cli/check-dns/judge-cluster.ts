/** What was read of a cluster, judged: whether its DNS finds the names of the zones, and what is missing. Pure. */
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { judgeClients } from './judge-clients.ts';
import type { DnsFinding } from './findings.ts';
import { judgeNodeLocal } from './judge-node-local.ts';
import { judgeZone } from './judge-zone.ts';
import { isUnread, type ClusterObservation } from './observation.ts';
import type { Proposals } from './proposals.ts';
import { canonicalName } from '../../dns/name.ts';

const INSTALL = 'install with "npx clusterlink-mcs deploy peer" (docs/INSTALL.md)';
const SERVICE = `Service ${SYSTEM_NAMESPACE}/clusterlink-mcs-dns`;
const DEFAULT_ZONES = ['clusterset.local'];

/** In the order in which they are to be mended. */
export function judgeCluster(observed: ClusterObservation, proposals: Proposals): DnsFinding[] {
  const { settings } = observed;
  const zones = isUnread(settings) ? DEFAULT_ZONES : settings.zones.map(canonicalName);
  return [
    ...judgeResponder(observed),
    ...judgeZone({ observed, zones, proposals }),
    ...judgeNodeLocal({ observed, zones, proposals }),
    ...judgeClients(observed),
  ];
}

function judgeResponder({ responder, readyEndpoints }: ClusterObservation): DnsFinding[] {
  if (responder === undefined) {
    return [{ result: 'failed', code: 'NotInstalled', about: SERVICE, found: 'is not there', fix: INSTALL }];
  }
  if (readyEndpoints === 0) {
    const fix = `look with: kubectl -n ${SYSTEM_NAMESPACE} get pods, and kubectl -n ${SYSTEM_NAMESPACE} logs deploy/clusterlink-mcs-dns`;
    return [{ result: 'failed', code: 'NoReadyEndpoint', about: SERVICE, found: 'has no ready endpoint', fix }];
  }
  return [];
}
