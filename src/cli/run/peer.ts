/** One standalone peer: store, controllers, gateway, exchange and DNS, wired. The only place that knows them all. */
import { runControllers } from '../../controllers/controller.ts';
import { makeAccessPolicyController } from '../../controllers/access-policy/reconciler.ts';
import { makeImportController } from '../../controllers/import/reconciler.ts';
import { makeServiceExportController } from '../../controllers/service-export/reconciler.ts';
import { startExchange } from '../../exchange/exchange.ts';
import { loadIdentity } from '../../fabric/files.ts';
import { startControl, type Control } from '../../gateway/control.ts';
import type { DownMessage, UpMessage } from '../../gateway/messages.ts';
import { startDataPlane } from '../../gateway/plane.ts';
import { startAdmin } from '../../runtime/admin.ts';
import { makeChannelPair } from '../../runtime/channel.ts';
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
import { startDns } from './dns.ts';
import { makeExchangeBridge } from './exchange-bridge.ts';
import { loadInstallation } from './installation.ts';
import { makeObserver } from './observer.ts';
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
  close(): Promise<void>;
}

/** How often the metric of the certificate's expiry is brought up to date. */
const EXPIRY_INTERVAL_MS = 60_000;
/** The store is read from a folder: seconds are plenty. */
const SYNC_TIMEOUT_MS = 30_000;

/** Resolves when everything serves. What was opened is closed again when something cannot be. */
export async function startPeer(options: PeerOptions): Promise<Peer> {
  const { config, manifests, state, version, logger, health, metrics } = options;
  await using opening = new AsyncDisposableStack();
  const self = { name: config.peer, labels: config.labels };
  const now = (): string => `${new Date().toISOString().slice(0, 19)}Z`;
  const allowedNamespaces = config.exports.namespaces;
  const ready = { store: health.expect('store'), gateway: health.expect('gateway'), dns: health.expect('dns') };

  const identity = await loadIdentity({ ...config.fabric, peer: config.peer });
  const tellExpiry = (): void =>
    metrics.certificateExpirySeconds.set((identity.notAfter.getTime() - Date.now()) / 1000);
  tellExpiry();
  const expiryTimer = setInterval(tellExpiry, EXPIRY_INTERVAL_MS);
  opening.defer(() => clearInterval(expiryTimer));

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

  const channel = makeChannelPair<DownMessage, UpMessage>();
  opening.defer(() => channel.parent.close());
  const plane = await startDataPlane({
    self,
    epoch,
    version,
    identity: () => identity,
    client: config.client,
    targets: config.exports.targets,
    pool: config.vips,
    channel: channel.child,
    ...(config.gateway.listen === undefined ? {} : { listen: config.gateway.listen }),
  });
  opening.defer(() => plane.close());

  const bridge = makeExchangeBridge((message) => channel.parent.post(message));
  const observer = makeObserver({ metrics, logger: logger.child({ component: 'gateway' }) });
  const control: Control = startControl({
    self: self.name,
    store,
    caches,
    allowedNamespaces,
    channel: channel.parent,
    logger: logger.child({ component: 'gateway' }),
    now,
    events: {
      ...observer,
      onPeer(observation) {
        observer.onPeer(observation);
        exchange.setReachable(observation.name, observation.version !== undefined);
      },
      onSnapshot(step, snapshotVersion) {
        metrics.snapshotVersion.set({ component: 'gateway', state: step }, snapshotVersion);
        if (step === 'acknowledged') ready.gateway.ready();
      },
      onExchange: (message) => bridge.digest(message),
    },
  });
  opening.defer(() => control.close());
  const exchange = startExchange({
    self,
    epoch,
    store,
    caches,
    allowedNamespaces,
    open: bridge.open,
    clock: wallClock,
    logger: logger.child({ component: 'exchange' }),
  });
  opening.defer(() => exchange.close());
  bridge.serve(exchange);

  const controllers = runControllers(
    [
      makeServiceExportController({ self: self.name, store, caches, clock: wallClock, allowedNamespaces }),
      makeImportController({
        self,
        store,
        caches,
        clock: wallClock,
        allowedNamespaces,
        addresses: makeAddressBook(state, config.vips),
      }),
      makeAccessPolicyController({ store, caches, clock: wallClock }),
    ],
    { logger, onResult: observer.onReconcile },
  );
  opening.defer(() => controllers.close());
  dns.follow(caches);

  const admin = await startAdmin({
    path: config.admin,
    logger: logger.child({ component: 'admin' }),
    routes: makeAdminRoutes({
      self,
      client: config.client,
      zones: config.dns.zones,
      store: `dir:${manifests}`,
      caches,
      control,
      missing: () => health.missing(),
      status: () =>
        makeStatusReport({
          peer: self.name,
          version,
          certificateExpires: identity.notAfter.toISOString(),
          caches,
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
  return { drain: (deadlineMs) => control.drain(deadlineMs), close: () => opened.disposeAsync() };
}
