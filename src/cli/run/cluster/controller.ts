/** The controller part: writes tenants' objects, one leader at a time; has no key of the peer. */
import { randomUUID } from 'node:crypto';
import { SYSTEM_NAMESPACE } from '../../../api/names.ts';
import { makeAccessPolicyController } from '../../../controllers/access-policy/reconciler.ts';
import { makeClusterPropertyController } from '../../../controllers/cluster-property/reconciler.ts';
import { runControllers, type Controller } from '../../../controllers/controller.ts';
import { makeDerivedServices } from '../../../controllers/derived-service/home.ts';
import { makeEndpointsController } from '../../../controllers/endpoints/reconciler.ts';
import { makeExportController } from '../../../controllers/export/reconciler.ts';
import { makeImportController } from '../../../controllers/import/reconciler.ts';
import { makeServiceExportController } from '../../../controllers/service-export/reconciler.ts';
import { makeTargetForesight } from '../../../gateway/target-foresight.ts';
import { POLICY_KINDS } from '../../../policy/read.ts';
import { wallClock } from '../../../runtime/clock.ts';
import { COMMON_KINDS } from '../../../store/caches.ts';
import { makeEventRecorder } from '../../../store/kubernetes/event-recorder.ts';
import { runElection } from '../../../store/kubernetes/lease.ts';
import { makeReconcileObserver } from '../observer.ts';
import { openPartStore, servePartHttp, whenListed, type Part, type PartOptions, type PartStore } from './part.ts';
import { readOwnPod } from './pod.ts';

export const CONTROLLER_LEASE = 'clusterlink-mcs-controller';
const COMPONENT = 'mcs.clusterlink.net/controller';

const KINDS = [...COMMON_KINDS, 'Namespace', 'Pod'] as const;
type ControllerKind = (typeof KINDS)[number];
/** Without its CRD the cluster has no properties; everything else works. */
const OPTIONAL = ['ClusterProperty'] as const;
/**
 * What each controller decides by: it begins when these were listed, since absence decides too. One that cannot be read, for want
 * of a right or a CRD, holds up nobody else.
 */
const CLUSTERLINK_EXPORT_KINDS = ['Export', 'ServiceExport', 'Service', 'EndpointSlice', 'Namespace'] as const;
const EXPORT_KINDS = ['Service', 'ServiceExport', 'ImportBinding', 'PeerRecords', 'Namespace'] as const;
const IMPORT_KINDS = [
  ...EXPORT_KINDS,
  'ClusterImportRule',
  'Export',
  'EndpointSlice',
  'Import',
  'ImportRule',
  'Peer',
  'ServiceImport',
] as const;
const ENDPOINTS_KINDS = ['EndpointSlice', 'ImportBinding', 'Namespace', 'Pod', 'Service', 'ServiceImport'] as const;

export async function startControllerPart(options: PartOptions): Promise<Part> {
  const { logger, version, env } = options;
  await using opening = new AsyncDisposableStack();
  opening.defer(await servePartHttp(options));
  const pod = readOwnPod(env);
  // Of pods only gateways are of interest, and they are here.
  const namespaces = { Pod: SYSTEM_NAMESPACE };
  const opened = openPartStore(options, {
    ...{ kinds: KINDS, optional: OPTIONAL, namespaces, opening },
    mayWrite: () => election.isLeader(),
  });
  const election = runElection({
    access: opened.access,
    namespace: SYSTEM_NAMESPACE,
    name: CONTROLLER_LEASE,
    identity: `${pod.name}_${randomUUID()}`,
    logger: logger.child({ component: 'election' }),
    onElected: (signal) => lead({ ...options, ...opened, pod: pod.name, signal }),
  });
  opening.defer(() => election.release());
  logger.info({ version, pod: pod.name }, 'Controller part started');
  const moved = opening.move();
  return { drain: () => election.release(), close: () => moved.disposeAsync() };
}

interface LeadOptions extends PartOptions, PartStore<ControllerKind> {
  readonly pod: string;
  readonly signal: AbortSignal;
}

/** Runs every controller until the signal is aborted. */
async function lead({ config, store, caches, access, logger, metrics, pod, signal }: LeadOptions): Promise<void> {
  const self = { name: config.peer, labels: config.labels };
  const common = { store, caches, clock: wallClock, allowedNamespaces: config.exports.namespaces };
  const events = makeEventRecorder({
    access,
    component: COMPONENT,
    instance: pod,
    logger: logger.child({ component: 'events' }),
  });
  const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  const run = (controllers: readonly Controller[]) =>
    runControllers(controllers, { logger, onResult: makeReconcileObserver(metrics) });

  await using running = new AsyncDisposableStack();
  const start = async (kinds: readonly ControllerKind[], controllers: () => readonly Controller[]): Promise<void> => {
    await Promise.race([
      whenListed(
        kinds.map((kind) => caches[kind]),
        signal,
      ).catch(() => undefined),
      ended,
    ]);
    if (signal.aborted) return;
    const started = run(controllers());
    running.defer(() => started.close());
  };
  await Promise.all([
    start(EXPORT_KINDS, () => [
      makeServiceExportController({
        self: self.name,
        ...common,
        clusterlinkCompat: config.clusterlinkCompat,
        onEvent: (event) => events.record({ ...event, action: 'Export' }),
      }),
    ]),
    start(CLUSTERLINK_EXPORT_KINDS, () => [
      makeExportController({
        ...common,
        foresee: makeTargetForesight({
          targets: config.exports.targets,
          slices: () => caches.EndpointSlice.list(),
        }),
        onEvent: (event) => events.record({ ...event, action: 'Export' }),
      }),
    ]),
    start(IMPORT_KINDS, () => [
      makeImportController({
        self,
        ...common,
        home: makeDerivedServices(common),
        onEvent: (event) => events.record({ ...event, action: 'Import' }),
      }),
    ]),
    start(ENDPOINTS_KINDS, () => [makeEndpointsController(common)]),
    start(POLICY_KINDS, () => [makeAccessPolicyController({ self, ...common })]),
    start(OPTIONAL, () => [
      makeClusterPropertyController({ self: self.name, fabric: config.fabric.name, store, caches }),
    ]),
    ended,
  ]);
}
