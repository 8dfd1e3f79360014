/** One gateway: the data plane, its control part and the exchange, joined. The same in both homes. */
import { parseKey } from '../../api/object.ts';
import { toTimestamp } from '../../api/timestamp.ts';
import { makeHostRestriction } from '../../catalogue/host-targets.ts';
import { startExchange, type Exchange, type ExchangeCaches } from '../../exchange/exchange.ts';
import { startControl, type Control, type ControlHome, type GatewayCaches } from '../../gateway/control.ts';
import type { Home } from '../../gateway/home.ts';
import type { ClosingRecord } from '../../gateway/messages.ts';
import { makeTargetForesight } from '../../gateway/target-foresight.ts';
import { wallClock } from '../../runtime/clock.ts';
import type { Config } from '../../runtime/config.ts';
import type { Health } from '../../runtime/health.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Store } from '../../store/store.ts';
import { startGatewayPlane, type GatewayPlane } from './data-plane.ts';
import { makeExchangeBridge } from './exchange-bridge.ts';
import type { Identity } from './identity.ts';
import { makeExchangeMetrics, makeObserver } from './observer.ts';
import { startRevocations } from './revocations.ts';
import { makeStanding, type Standing } from './standing.ts';

export interface GatewayOptions {
  readonly config: Config;
  readonly version: string;
  readonly identity: Identity;
  /** The uid of this installation. */
  readonly epoch: string;
  /** Where the data plane and its control part live. */
  readonly home: { readonly plane: Home; readonly control: ControlHome };
  /** Speaks for the peer from the start: no other replica does. */
  readonly leading: boolean;
  readonly store: Store;
  /** Synced. */
  readonly caches: GatewayCaches & ExchangeCaches;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly health: Pick<Health, 'expect'>;
  /** A snapshot is in force. */
  onReady(): void;
  /** A connection was refused or has ended. */
  onClosed?(record: ClosingRecord): void;
}

export interface Gateway {
  readonly control: Control;
  /** Lets go of what a peer does not name any more and is held: {@link Exchange.acceptLoss}. */
  readonly acceptLoss: Exchange['acceptLoss'];
  readonly confirmedMs: Standing['confirmedMs'];
  /** Whether this replica keeps the records and the status of peers; the others carry connections and answer. */
  setLeading(leading: boolean): void;
  readonly restart: GatewayPlane['restart'];
  close(): Promise<void>;
}

/** @throws {AppError} `ERR_LISTEN` */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { config, version, identity, epoch, home, leading, store, caches, logger, metrics, health, onReady } = options;
  await using opening = new AsyncDisposableStack();
  const self = { name: config.peer, labels: config.labels };
  const allowedNamespaces = config.exports.namespaces;

  // Before anybody is let in.
  const revocations = await startRevocations({
    config,
    identity,
    caches,
    logger: logger.child({ component: 'revocations' }),
    metrics,
  });
  opening.defer(() => revocations.close());

  const plane = await startGatewayPlane({
    workers: config.workers,
    plane: {
      self,
      epoch,
      version,
      home: home.plane,
      targets: config.exports.targets,
      compat: config.clusterlinkCompat,
      fastPath: config.fastPath,
      outbound: { proxy: config.proxy, proxyExcept: config.proxyExcept },
      ...(home.plane.kind === 'standalone' ? { pool: config.vips } : {}),
      ...(config.gateway.listen === undefined ? {} : { listen: config.gateway.listen }),
    },
    identity,
    drainMs: config.drainSeconds * 1_000,
    logger,
    metrics,
    health,
  });
  const { channel } = plane;
  opening.defer(() => plane.close());
  opening.defer(identity.onChange(() => channel.post({ kind: 'identity-changed' })));

  const bridge = makeExchangeBridge((message) => channel.post(message));
  const observer = makeObserver({
    metrics,
    logger: logger.child({ component: 'gateway' }),
    isExport(object) {
      const key = parseKey(object);
      return caches.ServiceExport.get(key) !== undefined || caches.Export.get(key) !== undefined;
    },
  });
  const standing = makeStanding({ metrics, clock: wallClock });
  const control = startControl({
    self: self.name,
    home: home.control,
    store,
    caches,
    allowedNamespaces,
    channel,
    revocations,
    logger: logger.child({ component: 'gateway' }),
    now: () => toTimestamp(Date.now()),
    events: {
      ...observer,
      onPeer(observation) {
        observer.onPeer(observation);
        standing.onPeer(observation);
        exchange.setReachable(observation.name, observation.epochs);
      },
      onClosed(record) {
        observer.onClosed(record);
        options.onClosed?.(record);
      },
      onSnapshot(step, snapshotVersion) {
        metrics.snapshotVersion.set({ component: 'gateway', state: step }, snapshotVersion);
        if (step === 'acknowledged') onReady();
      },
      onExchange(message) {
        bridge.digest(message);
      },
      onImport: (observation) => standing.onImport(observation),
      onImportsRetained: (objects) => standing.retainImports(objects),
    },
  });
  opening.defer(() => control.close());
  const exchange: Exchange = startExchange({
    self,
    epoch,
    store,
    caches,
    allowedNamespaces,
    leading,
    open: bridge.open,
    clock: wallClock,
    logger: logger.child({ component: 'exchange' }),
    metrics: { ...makeExchangeMetrics(metrics), onConfirmed: (peer) => standing.onConfirmed(peer) },
    restriction:
      home.control.kind === 'cluster'
        ? home.control.pods.restriction
        : makeHostRestriction(makeTargetForesight({ targets: config.exports.targets })),
  });
  opening.defer(() => exchange.close());
  bridge.serve(exchange);
  const passOn = (): void => exchange.publishRevocations(revocations.lists());
  passOn();
  opening.defer(revocations.onChange(passOn));

  const opened = opening.move();
  return {
    control,
    acceptLoss: (peer) => exchange.acceptLoss(peer),
    confirmedMs: (peer) => standing.confirmedMs(peer),
    setLeading(isLeading) {
      exchange.setLeading(isLeading);
      control.setLeading(isLeading);
    },
    restart: () => plane.restart(),
    close: () => opened.disposeAsync(),
  };
}
