/** The admin socket of a gateway in a cluster: reached by `kubectl exec` into its pod, whose files are nobody else's. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Control } from '../../../gateway/control.ts';
import { KUBERNETES_STORE } from '../../../gateway/hops.ts';
import { startAdmin } from '../../../runtime/admin.ts';
import type { CachesOf } from '../../../store/caches.ts';
import { makeAdminRoutes } from '../admin-routes.ts';
import { podClient } from '../client-argument.ts';
import { makeFabricReport } from '../fabric-status.ts';
import type { Gateway } from '../gateway.ts';
import type { Identity } from '../identity.ts';
import { makeRead } from '../reading.ts';
import { makeStatusReport } from '../status.ts';
import type { PartOptions, PartStore } from './part.ts';

/** Kinds that a gateway watches whole: what it knows of others is a part, or nothing. */
const WATCHED = [
  'AccessPolicy',
  'BaselineAccessPolicy',
  'Export',
  'ImportBinding',
  'Peer',
  'PeerRecords',
  'PrivilegedAccessPolicy',
  'ServiceExport',
] as const;

export interface GatewayAdminOptions
  extends
    Pick<PartOptions, 'config' | 'health' | 'logger' | 'metrics' | 'version'>,
    Pick<PartStore<(typeof WATCHED)[number]>, 'store'> {
  readonly caches: CachesOf<(typeof WATCHED)[number] | 'Pod'>;
  readonly identity: Identity;
  readonly control: Control;
  /** {@link Gateway.acceptLoss} */
  readonly acceptLoss: Gateway['acceptLoss'];
  readonly confirmedMs: Gateway['confirmedMs'];
}

/** Of the cluster's own DNS, as nearly every cluster has it. */
const CLUSTER_ZONE = 'cluster.local';

/** @throws {AppError} `ERR_LISTEN` */
export async function startGatewayAdmin(options: GatewayAdminOptions): Promise<{ close(): Promise<void> }> {
  const { config, version, identity, store, caches, control, acceptLoss, confirmedMs, logger, metrics, health } =
    options;
  const self = { name: config.peer, labels: config.labels };
  const about = () => ({
    peer: self.name,
    version,
    certificateExpires: identity.current().notAfter.toISOString(),
    control,
  });
  const watched = Object.fromEntries(WATCHED.map((kind) => [kind, caches[kind]])) as CachesOf<(typeof WATCHED)[number]>;
  await mkdir(dirname(config.admin), { recursive: true, mode: 0o700 });
  return startAdmin({
    path: config.admin,
    logger: logger.child({ component: 'admin' }),
    routes: makeAdminRoutes({
      self,
      client: (text) => podClient(text, { caches, clientAt: (address) => control.clientAt(address) }),
      // Clients of an Import, and of a rule with `service`, know it by its Service.
      zones: [...config.dns.zones, CLUSTER_ZONE],
      store: KUBERNETES_STORE,
      read: makeRead({ store, watched }),
      control,
      // The API server refuses what is wrong.
      problems: () => [],
      metrics,
      missing: () => health.missing(),
      acceptLoss: (peer) => (peer === undefined ? 0 : (acceptLoss(peer)?.records ?? 0)),
      fabric: () => makeFabricReport({ ...about(), caches, confirmedMs, nowMs: Date.now() }),
      status: (readings) => makeStatusReport({ ...about(), caches: readings, problems: [] }),
    }),
  });
}
