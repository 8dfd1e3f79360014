/** One standalone peer: store, controllers, gateway, exchange and DNS, wired. The only place that knows them all. */
import { runControllers } from '../../controllers/controller.ts';
import { makeAccessPolicyController } from '../../controllers/access-policy/reconciler.ts';
import { makeExportController } from '../../controllers/export/reconciler.ts';
import { makeAddressPool } from '../../controllers/import/address-pool.ts';
import { makeImportController } from '../../controllers/import/reconciler.ts';
import { makeServiceExportController } from '../../controllers/service-export/reconciler.ts';
import { makeTargetForesight } from '../../gateway/target-foresight.ts';
import { startAdmin } from '../../runtime/admin.ts';
import { wallClock } from '../../runtime/clock.ts';
import type { Config } from '../../runtime/config.ts';
import type { Health } from '../../runtime/health.ts';
import { formatHostPort } from '../../runtime/host-port.ts';
import { startHttp } from '../../runtime/http.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { whenSynced } from '../../store/cache.ts';
import { closeCaches, COMMON_KINDS, openCaches } from '../../store/caches.ts';
import { openDirectoryStore } from '../../store/directory/store.ts';
import { formatProblems } from '../check.ts';
import { makeAddressBook } from './address-book.ts';
import { makeAdminRoutes } from './admin-routes.ts';
import { hostClient } from './client-argument.ts';
import { startDns } from './dns.ts';
import { makeFabricReport } from './fabric-status.ts';
import { openIdentity } from './identity.ts';
import { loadInstallation } from './installation.ts';
import { startGateway } from './gateway.ts';
import { makeReconcileObserver } from './observer.ts';
import { makeStatusReport } from './status.ts';

export interface PeerOptions {
  readonly config: Config;
  /** The user's manifests. */
  readonly manifests: string;
  readonly state: string;
  readonly version: string;
  readonly logger: Logger;
  readonly health: Health;
  readonly metrics: Metrics;
}

export interface Peer {
  drain(deadlineMs: number): Promise<void>;
  /** Replaces what carries connections, without cutting any. @throws {AppError} `ERR_USAGE` where that cannot be. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** The store is read from a folder: seconds are plenty. */
const SYNC_TIMEOUT_MS = 30_000;

/** Resolves when everything serves. What was opened is closed again when something cannot be. */
export async function startPeer(options: PeerOptions): Promise<Peer> {
  const { config, manifests, state, version, logger, health, metrics } = options;
  await using opening = new AsyncDisposableStack();
  const self = { name: config.peer, labels: config.labels };
  const allowedNamespaces = config.exports.namespaces;
  const ready = { store: health.expect('store'), gateway: health.expect('gateway'), dns: health.expect('dns') };

  const identity = await openIdentity({ config, logger: logger.child({ component: 'identity' }), metrics });
  opening.defer(() => identity.close());

  const store = await openDirectoryStore({ manifests, state, logger: logger.child({ component: 'store' }) });
  opening.defer(() => store.close());
  const epoch = await loadInstallation(state);
  const caches = openCaches(store, COMMON_KINDS);
  opening.defer(() => closeCaches(caches));
  await whenSynced(Object.values(caches), { timeoutMs: SYNC_TIMEOUT_MS });
  const countErrors = (problems: ReturnType<typeof store.problems>): void =>
    metrics.storeProblems.set(problems.filter(({ severity }) => severity === 'error').length);
  countErrors(store.problems());
  opening.defer(store.onProblems(countErrors));
  ready.store.ready();

  const dns = await startDns({ config, logger, metrics, onReady: () => ready.dns.ready() });
  opening.defer(() => dns.close());

  const gateway = await startGateway({
    config,
    version,
    identity,
    epoch,
    home: { plane: { kind: 'standalone', client: config.client }, control: { kind: 'standalone' } },
    leading: true,
    store,
    caches,
    logger,
    metrics,
    health,
    onReady: () => ready.gateway.ready(),
  });
  opening.defer(() => gateway.close());
  const { control } = gateway;

  const foresee = makeTargetForesight({ targets: config.exports.targets });
  const controllers = runControllers(
    [
      makeServiceExportController({
        ...{ self: self.name, store, caches, clock: wallClock, allowedNamespaces },
        clusterlinkCompat: config.clusterlinkCompat,
      }),
      makeExportController({
        ...{ store, caches, clock: wallClock, allowedNamespaces },
        foresee,
      }),
      makeImportController({
        self,
        store,
        caches,
        clock: wallClock,
        allowedNamespaces,
        foresee,
        home: makeAddressPool(makeAddressBook(state, config.vips)),
      }),
      makeAccessPolicyController({ self, store, caches, clock: wallClock }),
    ],
    { logger, onResult: makeReconcileObserver(metrics) },
  );
  opening.defer(() => controllers.close());
  dns.follow(caches);

  const admin = await startAdmin({
    path: config.admin,
    logger: logger.child({ component: 'admin' }),
    routes: makeAdminRoutes({
      self,
      client: (text) => hostClient(text, config.client),
      zones: config.dns.zones,
      store: `dir:${manifests}`,
      read: () => Promise.resolve(caches),
      control,
      problems: () => store.problems(),
      metrics,
      fabric: () =>
        makeFabricReport({
          peer: self.name,
          version,
          certificateExpires: identity.current().notAfter.toISOString(),
          caches,
          control,
          confirmedMs: gateway.confirmedMs,
          nowMs: Date.now(),
        }),
      missing: () => health.missing(),
      acceptLoss: (peer) => (peer === undefined ? store.acceptLoss() : (gateway.acceptLoss(peer)?.records ?? 0)),
      status: (readings) =>
        makeStatusReport({
          peer: self.name,
          version,
          certificateExpires: identity.current().notAfter.toISOString(),
          caches: readings,
          control,
          problems: formatProblems(store.problems(), { output: 'text' })
            .split('\n')
            .filter((line) => line !== ''),
        }),
    }),
  });
  opening.defer(() => admin.close());
  if (config.metrics !== undefined) {
    const http = await startHttp({
      listen: config.metrics,
      health,
      metrics,
      logger: logger.child({ component: 'http' }),
    });
    opening.defer(() => http.close());
  }
  logger.info({ version, dns: formatHostPort(dns.address), vips: config.vips, manifests, state }, 'Peer started');

  const opened = opening.move();
  return {
    drain: (deadlineMs) => control.drain(deadlineMs),
    restart: () => gateway.restart(),
    close: () => opened.disposeAsync(),
  };
}
