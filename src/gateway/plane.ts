/**
 * The data plane: sessions, listeners, tunnels. It knows the world by snapshots alone and keeps serving the last one; what it
 * sees goes up as messages. It may share the process with the control part, or not.
 */
import { REASONS, type Reason } from '../api/reasons.ts';
import type { PeerIdentity } from '../fabric/files.ts';
import { compilePolicies } from '../policy/compile.ts';
import type { ChannelEnd } from '../runtime/channel.ts';
import type { CLUSTERLINK_COMPAT, FAST_PATH } from '../runtime/config-schema.ts';
import { formatHostPort } from '../runtime/host-port.ts';
import { makeAccount } from './account.ts';
import { makeAdmission } from './admission.ts';
import { makeClientKeys } from './affinity.ts';
import { makeClientTable } from './client-table.ts';
import { makeClusterLinkExporter } from './clusterlink/exporter.ts';
import { makeClusterLinkLinks } from './clusterlink/links.ts';
import { makeDecisionMemory } from './decision-memory.ts';
import type { Self } from './decisions.ts';
import { makeEgress } from './egress.ts';
import { makeEjections } from './ejection.ts';
import { makeExchangeStreams } from './exchange-streams.ts';
import { foresee } from './foresee.ts';
import { EARLY_FEATURE, REPLICAS_FEATURE, WORKERS_FEATURE } from './hello.ts';
import { makeConnector, type ConnectorOptions } from './gateway-connector.ts';
import { startAcceptor, type Acceptor } from './handshake.ts';
import type { Home } from './home.ts';
import { keepTunnelsAlive } from './keep-alive.ts';
import { makeImportStates } from './import-states.ts';
import type { PlaceClaims } from './listeners.ts';
import { makeIngress } from './ingress.ts';
import { BUFFER_BYTES_MAX, PEER_BUFFER_BYTES_MAX, REQUESTS_PER_TURN_MAX, TRUST_RECHECK_MS } from './limits.ts';
import type {
  ClosingRecord,
  ConnectionSubject,
  Direction,
  DownMessage,
  GatewaySnapshot,
  UpMessage,
} from './messages.ts';
import { startLimitsReport } from './limits-report.ts';
import { makePeerBounds } from './peer-bounds.ts';
import { makePeers, type Peers } from './peers.ts';
import { probeSource } from './probe.ts';
import { makeReasker } from './reask.ts';
import { toRoutes, type Routes } from './routes.ts';
import type { Shares } from './shares.ts';
import { makeStreamServer } from './serve-stream.ts';
import type { PeerSession } from './session.ts';
import { startFastPath } from './slabs/user-buffer.ts';
import { makePodTargets, makeTargetFilter, type TargetFilter } from './targets.ts';
import { makeTrustInForce } from './trust-in-force.ts';
import { DRAIN_REVOCATION, makeTunnelTable } from './tunnels.ts';
import { makeTurns } from './turns.ts';
import type { DemandTimings } from './wanted-sessions.ts';

export interface DataPlaneOptions {
  readonly self: Self;
  /** The uid of this installation. */
  readonly epoch: string;
  readonly version: string;
  /** Read at every dial and every connection; who changes it says so by `identity-changed`. */
  readonly identity: () => PeerIdentity;
  /** Absent: this peer only dials. */
  readonly listen?: { readonly host: string; readonly port: number };
  readonly home: Home;
  /** What exports may be dialled (configuration `exports.targets`). */
  readonly targets: readonly string[];
  /** Standalone: the range that imports get their addresses from; never dialled. */
  readonly pool?: string;
  /** Whether ClusterLink's form of the wire is spoken, and with callers that have no Peer object too; absent: `on`. */
  readonly compat?: (typeof CLUSTERLINK_COMPAT)[number];
  /** Whether sockets are read into memory of ours, where this Node can; absent: `on`. */
  readonly fastPath?: (typeof FAST_PATH)[number];
  /** When TCP shows that an idle connection lives; tests shorten it. */
  readonly keepAliveMs?: number;
  /** How gateways of peers are dialled; absent: directly, by the resolver of the host. */
  readonly outbound?: Pick<ConnectorOptions, 'proxy' | 'proxyExcept' | 'resolve'> & {
    /** Between two looks whether a gateway's name leads where its session does; tests shorten it. */
    readonly resolveIntervalMs?: number | undefined;
  };
  /** How soon a further session is dialled for load, and given up after it; tests shorten them. */
  readonly demandTimings?: DemandTimings;
  /** Told in hellos; absent: a random one. Of a process with workers it begins with the process's own and a dot. */
  readonly instance?: string;
  /** How many data planes share the listeners and the bounds of this peer; absent: this one alone. */
  readonly workers?: number;
  /** With others: where each may listen. */
  readonly places?: PlaceClaims;
  /** With others: what of each bound is this one's. */
  readonly shares?: Shares;
  readonly channel: ChannelEnd<UpMessage, DownMessage>;
}

export interface DataPlane {
  close(): Promise<void>;
}

const NOTHING: Routes = toRoutes({
  version: 0,
  peers: [],
  imports: [],
  exports: [],
  policies: compilePolicies({ privileged: [], regular: [], baseline: [] }),
});

/** @throws {AppError} `ERR_LISTEN` when the gateway's own address cannot be had. */
export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const { self, epoch, version, identity, listen, home, channel, keepAliveMs, compat = 'on' } = options;
  const now = (): number => performance.now();
  const post = (message: UpMessage): void => channel.post(message);
  post({ kind: 'fast-path', state: await startFastPath(options.fastPath ?? 'on') });
  const onRefused = (reason: Reason, from: string): void => post({ kind: 'refused', reason, from });
  let routes = NOTHING;
  /** `leaving`: others are told that this gateway goes, and what still comes is served. */
  let phase: 'serving' | 'leaving' | 'draining' = 'serving';
  /** Other workers have the listeners: clients of imports that come are theirs. */
  let isReplaced = false;
  const closing = new AbortController();
  let acceptor: Acceptor | undefined;
  let filter: TargetFilter | undefined;

  // Its part: memory that is held cannot be handed over in the moment in which another one needs it.
  const { workers = 1 } = options;
  const account = makeAccount({ bytesMax: BUFFER_BYTES_MAX / workers, peerBytesMax: PEER_BUFFER_BYTES_MAX / workers });
  const bounds = makePeerBounds({
    account,
    now,
    shares: options.shares,
    onRefused: (limit, peer) => onRefused(REASONS.Overloaded, `${peer}: ${limit}`),
  });
  const turns = makeTurns({ perTurnMax: REQUESTS_PER_TURN_MAX, nextTurn: (run) => void setImmediate(run) });
  const limitsReport = startLimitsReport({
    account,
    bounds,
    handshakes: () => ({ inFlight: acceptor?.handshakes ?? 0, waiting: acceptor?.waiting ?? 0 }),
    tell: (limits) => post({ kind: 'limits', limits }),
  });
  const table = makeTunnelTable();
  const clients = makeClientTable(home);
  const decisions = makeDecisionMemory();
  const shared = (direction: Direction) => ({
    self,
    routes: () => routes,
    decisions,
    table,
    now,
    onOpened: ({ connection, object, peer }: ConnectionSubject) =>
      post({ kind: 'opened', direction, connection, object, peer }),
    onClosed: (record: ClosingRecord) => post({ kind: 'closed', record }),
  });
  const ingress = makeIngress({ ...shared('ingress'), targets, bounds, onProbeRefused: onRefused });
  const connector = makeConnector({ ...options.outbound, keepAliveMs });
  let shownCertPem = identity().certPem;
  const trust = makeTrustInForce({ self: self.name, identity, routes: () => routes });
  const links = makeClusterLinkLinks({
    self,
    now,
    memoryOf: (peer) => bounds.of(peer).memory,
    onChange: (link) => peers.changed(link, undefined),
    onClose: (link, error) => peers.changed(link, { error }),
  });
  const admission = makeAdmission({
    trust,
    connector,
    links: compat === 'off' ? undefined : links,
    self: self.name,
    epoch,
    version,
    instance: options.instance,
    features: featuresOf(options),
    identity,
    peers: () => peers,
    bounds,
    isDraining: () => phase !== 'serving',
    onStream: (session, stream) => void serveStream(session, stream),
    onRefused,
    onRetired: (session) => exchanges.leave(session),
  });
  const clusterlink = makeClusterLinkExporter({
    ...shared('ingress'),
    ...(compat === 'fabric' ? { strangers: 'may-ask' } : {}),
    ingress,
    bounds,
    turns,
    identity,
    trust,
    phase: () => phase,
    onRefused,
  });
  const peers: Peers = makePeers({
    dial: admission.dial,
    lookUp: ({ host }) => connector.lookUp(host),
    resolveIntervalMs: options.outbound?.resolveIntervalMs,
    onRetired: (session) => exchanges.leave(session),
    exchangesOver: (session) => exchanges.countOver(session),
    onFurtherRefused: (peer) => onRefused(REASONS.Overloaded, `${peer}: it takes no further session`),
    demandTimings: options.demandTimings,
    onChange: (observation) => post({ kind: 'peer', peer: observation }),
    onReachable() {
      if (closing.signal.aborted) return;
      ejections.seeReachable(peers.reachable);
      imports.refresh();
    },
  });
  const clientKey = makeClientKeys(() => identity().keyPem);
  const reasker = makeReasker({
    clients,
    ask: ({ address, ...asked }) =>
      probeSource({ self, ingress, peers, client: clients.at(address), ...asked, mode: 'decide' }),
  });
  const ejections = makeEjections({
    now,
    self: self.name,
    onChange: (change) => post({ kind: 'ejection', change }),
  });
  const egress = makeEgress({
    ...shared('egress'),
    clients,
    clientKey,
    reasker,
    peers,
    ingress,
    ejections,
    shares: options.shares,
  });
  const imports = makeImportStates({
    self: self.name,
    home,
    places: options.places,
    reachable: () => peers.reachable,
    onClient: (arrival, socket) => void egress.serveClient(arrival, socket),
    onChange: (observation) => post({ kind: 'import', import: observation }),
  });
  const exchanges = makeExchangeStreams({ peers, account, post });
  const serveStream = makeStreamServer({
    self,
    bounds,
    turns,
    ingress,
    exchanges,
    isDraining: () => phase === 'draining',
    onRefused,
  });

  /** Made when it is first needed: by then it is known where this gateway listens. */
  function targets(): TargetFilter {
    // A worker knows of exports before it listens.
    const own = acceptor?.address ?? listen;
    const listeners = own === undefined ? [] : [{ address: own.host, port: own.port }];
    const pods = home.kind === 'standalone' ? undefined : makePodTargets({ at: clients.at, neverDial: home.neverDial });
    const ours = { listeners, ...(options.pool === undefined ? {} : { pool: options.pool }) };
    filter ??= makeTargetFilter(options.targets, ours, pods);
    return filter;
  }

  function applySnapshot(snapshot: GatewaySnapshot): void {
    routes = toRoutes(snapshot);
    // Before sessions of peers that are gone are dropped: a connection ends for the reason that it is allowed no longer.
    table.recheck(routes);
    peers.apply(routes.peers);
    bounds.retain(routes.peers);
    // Before the first session: by then it is known how many streams each may open here.
    if (options.shares !== undefined) for (const name of routes.peers.keys()) bounds.of(name);
    endUntrusted();
    egress.retain(routes.imports);
    imports.apply(phase === 'draining' || isReplaced ? new Map() : routes.imports);
    post({ kind: 'acknowledged', version: snapshot.version });
  }

  /**
   * New connections are served to the end: peers, kube-proxy and load balancers go by what they heard last. They are even after
   * the deadline: the node's connection tracking leads a client that uses the port of a connection cut just now back to this pod.
   */
  async function drain({ deadlineMs, quietMs, replaced }: Extract<DownMessage, { kind: 'drain' }>): Promise<void> {
    const { signal } = closing;
    if (phase === 'serving') leave(deadlineMs);
    if (quietMs === 0) takeNothing();
    if (replaced === true) {
      isReplaced = true;
      imports.apply(new Map());
    }
    if (!(await table.whenQuiet({ quietMs, deadlineMs, signal }))) {
      table.abortOpen(DRAIN_REVOCATION);
      await table.whenQuiet({ quietMs, deadlineMs: quietMs, signal });
    }
    if (signal.aborted) return;
    takeNothing();
    table.abortAll(DRAIN_REVOCATION);
    // Tunnels that have ended well may have their last bytes under way still: whoever hears this ends the sessions.
    await Promise.all(sessions().map((session) => session.isDelivered()));
    if (!signal.aborted) post({ kind: 'drained' });
  }

  /** Peers are told to dial anew. Whoever still comes over a session is served. */
  function leave(deadlineMs: number): void {
    phase = 'leaving';
    for (const session of sessions()) session.drain(deadlineMs);
  }

  const sessions = (): readonly PeerSession[] => peers.links().filter((link) => link.form === 'session');

  function endUntrusted(): void {
    admission.endUntrusted();
    clusterlink.recheck();
  }

  function followIdentity(): void {
    endUntrusted();
    const { certPem } = identity();
    if (certPem === shownCertPem) return;
    shownCertPem = certPem;
    if (phase === 'serving') admission.renewSessions();
  }

  function takeNothing(): void {
    phase = 'draining';
    imports.apply(new Map());
  }

  channel.onMessage((message) => {
    switch (message.kind) {
      case 'snapshot':
        return applySnapshot(message.snapshot);
      case 'probe':
        return void probeSource({ self, ingress, peers, ...message }).then((outcome) => {
          post({ kind: 'probed', id: message.id, outcome });
        });
      case 'foresee': {
        const next = { ...routes, policies: message.policies };
        return void foresee({ table, present: routes, next }).then((foresight) => {
          post({ kind: 'foreseen', id: message.id, foresight });
        });
      }
      case 'retire':
        acceptor?.retire();
        return leave(message.deadlineMs);
      case 'drain':
        return void drain(message);
      case 'identity-changed':
        return followIdentity();
      case 'clients': {
        const changed = clients.apply(message);
        table.recheckClients(changed, routes);
        return void reasker.reask(changed);
      }
      default:
        return exchanges.digest(message);
    }
  });

  if (listen !== undefined) {
    acceptor = await startAcceptor({
      listen,
      identity,
      trust,
      onDistrusted: (peer, why) => peers.distrusted(peer, why),
      onPeer: (peer, socket) => void admission.accept(peer, socket),
      isPeer: (peer) => compat === 'fabric' || routes.peers.has(peer),
      ...(compat === 'off' ? {} : { onClusterLinkPeer: clusterlink.accept }),
      onRefused,
      onLimit: (limit) => limitsReport.refuse(limit),
    });
    post({ kind: 'listening', address: formatHostPort(acceptor.address) });
  }

  const stopKeepingAlive = keepTunnelsAlive({ table, idleMs: keepAliveMs });
  // Certificates expire without a message.
  const recheck = setInterval(() => {
    endUntrusted();
    admission.renewSessions();
  }, TRUST_RECHECK_MS);

  return {
    async close() {
      phase = 'draining';
      clearInterval(recheck);
      stopKeepingAlive();
      closing.abort();
      limitsReport.close();
      exchanges.close();
      await imports.close();
      table.abortAll(DRAIN_REVOCATION);
      await clusterlink.close();
      peers.close();
      await acceptor?.close();
    },
  };
}

/**
 * What the hello says of this process. Peers look for others behind the address of one that has replicas; of one with workers they
 * know by its instance which belong together ({@link WORKERS_FEATURE}).
 */
function featuresOf({ home, workers }: Pick<DataPlaneOptions, 'home' | 'workers'>): readonly string[] {
  if (home.kind === 'cluster') return [EARLY_FEATURE, REPLICAS_FEATURE];
  return workers === undefined ? [EARLY_FEATURE] : [EARLY_FEATURE, REPLICAS_FEATURE, WORKERS_FEATURE];
}
