/** The gateway part: one of several replicas that carry connections; it alone has the peer's key. */
import { randomUUID } from 'node:crypto';
import { formatError } from '../../../api/errors.ts';
import { LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../../../api/names.ts';
import { EXCHANGE_KINDS } from '../../../exchange/exchange.ts';
import { GATEWAY_KINDS } from '../../../gateway/control.ts';
import { followPods } from '../../../gateway/pods.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { makeEventRecorder } from '../../../store/kubernetes/event-recorder.ts';
import { runElection } from '../../../store/kubernetes/lease.ts';
import { startGateway } from '../gateway.ts';
import { openIdentity, type Identity } from '../identity.ts';
import { startGatewayAdmin } from './admin.ts';
import { whenAnnounced } from './announced.ts';
import type { ClientAddresses } from './client-addresses.ts';
import { followClientAddresses, METRICS_SERVICE, toTargets } from './follow-client-addresses.ts';
import { whenInstalled } from './installation.ts';
import { openPartStore, servePartHttp, whenListed, type Part, type PartOptions, type PartStore } from './part.ts';
import { readOwnPod, type OwnPod } from './pod.ts';
import { makeRefusalEvents } from './refusal-events.ts';

export const EXCHANGE_LEASE = 'clusterlink-mcs-exchange';
const COMPONENT = 'mcs.clusterlink.net/gateway';
const KINDS = [...new Set([...GATEWAY_KINDS, ...EXCHANGE_KINDS, 'Namespace', 'Node', 'Pod'] as const)];
/** A gateway reads what is exported; what stands for imports, three objects each, is the controller's alone. */
const NOT_OURS = `${LABELS.managedBy}!=${MANAGED_BY}`;
const SELECTORS = { Service: NOT_OURS, EndpointSlice: NOT_OURS };
type GatewayKind = (typeof KINDS)[number];

/** Resolves when the process is up; it serves once the API server has said what there is. */
export async function startGatewayPart(options: PartOptions): Promise<Part> {
  const { config, logger, metrics, health, version, env } = options;
  await using opening = new AsyncDisposableStack();
  let clients: ClientAddresses = { verdict: 'unknown' };
  opening.defer(await servePartHttp(options, () => ({ clients })));
  const pod = readOwnPod(env);
  const reporter = health.expect('gateway');
  const identity = await openIdentity({ config, logger: logger.child({ component: 'identity' }), metrics });
  opening.defer(() => identity.close());
  const store = openPartStore(options, { kinds: KINDS, selectors: SELECTORS, keeps: true, opening });
  const ending = new AbortController();
  let serving: Part | undefined;

  async function begin(): Promise<void> {
    try {
      const epoch = await whenInstalled({ ...options, ...store, signal: ending.signal });
      await whenListed(Object.values(store.caches), ending.signal);
      serving = await serve({
        ...{ ...options, ...store, pod, identity, epoch },
        onReady: () => void becomeReady(),
        onClients: (found) => (clients = found),
      });
    } catch (error) {
      if (ending.signal.aborted) return;
      logger.error({ error: formatError(error) }, 'Gateway cannot serve');
      reporter.missing(formatError(error));
    }
  }
  let isServing = false;
  /** Called at each snapshot that comes into force. */
  async function becomeReady(): Promise<void> {
    if (isServing) return;
    isServing = true;
    const { due, told } = await whenAnnounced({
      ...store,
      own: pod.name,
      signal: ending.signal,
      onProgress: (progress) =>
        reporter.missing(`listens for ${progress.told} of ${progress.due} imports of its siblings`),
    });
    if (ending.signal.aborted) return;
    if (told < due) logger.warn({ due, told }, 'Gateway listens for fewer imports than its siblings');
    reporter.ready();
  }

  const begun = begin();
  opening.defer(async () => {
    ending.abort();
    await begun;
    await serving?.close();
  });
  logger.info({ version, pod: pod.name, addresses: pod.ips }, 'Gateway part started');
  const opened = opening.move();
  return {
    drain: async (deadlineMs) => serving?.drain(deadlineMs),
    restart: async () => serving?.restart?.(),
    close: () => opened.disposeAsync(),
  };
}

interface ServeOptions extends PartOptions, PartStore<GatewayKind> {
  readonly pod: OwnPod;
  readonly identity: Identity;
  readonly epoch: string;
  onReady(): void;
  onClients(found: ClientAddresses): void;
}

async function serve(options: ServeOptions): Promise<Part> {
  const { access, caches, config, env, logger, metrics, pod, onClients } = options;
  await using opening = new AsyncDisposableStack();
  const { KUBERNETES_SERVICE_HOST: apiServer } = env;
  const neverDial = [...pod.ips, ...(apiServer === undefined ? [] : [apiServer])];
  const pods = followPods({ caches, own: pod.ips, neverDial, targets: config.exports.targets });
  opening.defer(() => pods.close());
  const events = makeEventRecorder({
    access,
    component: COMPONENT,
    instance: pod.name,
    logger: logger.child({ component: 'events' }),
  });
  const refusals = makeRefusalEvents({ ...options, events, clock: systemClock });
  const gateway = await startGateway({
    ...options,
    onClosed: (record) => refusals.onClosed(record),
    home: {
      plane: { kind: 'cluster', listen: pod.ips, neverDial },
      control: { kind: 'cluster', pod: pod.name, pods },
    },
    leading: false,
  });
  opening.defer(() => gateway.close());
  const { control, acceptLoss, confirmedMs } = gateway;
  const admin = await startGatewayAdmin({ ...options, control, acceptLoss, confirmedMs });
  opening.defer(() => admin.close());
  const election = runElection({
    access,
    namespace: SYSTEM_NAMESPACE,
    name: EXCHANGE_LEASE,
    identity: `${pod.name}_${randomUUID()}`,
    logger: logger.child({ component: 'election' }),
    onElected(signal) {
      gateway.setLeading(true);
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
    onLost: () => gateway.setLeading(false),
  });
  opening.defer(() => election.release());
  const endFollowing = followClientAddresses({
    own: pod,
    targets: () => toTargets(caches.Service.get(METRICS_SERVICE)),
    gauge: metrics.clientAddressesVisible,
    logger: logger.child({ component: 'client-addresses' }),
    onFound: onClients,
  });
  opening.defer(endFollowing);
  const opened = opening.move();
  return {
    async drain(deadlineMs) {
      // Another replica speaks for the peer from here on; connections go on.
      await Promise.all([election.release(), gateway.control.drain(deadlineMs)]);
    },
    restart: () => gateway.restart(),
    close: () => opened.disposeAsync(),
  };
}
