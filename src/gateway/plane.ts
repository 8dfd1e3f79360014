/**
 * The data plane: sessions, listeners, tunnels. It knows the world by snapshots alone and keeps serving the last one; what it
 * sees goes up as messages. It may share the process with the control part, or not.
 */
import { randomUUID } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { AppError } from '../api/errors.ts';
import { formatKey } from '../api/object.ts';
import { REASONS } from '../api/reasons.ts';
import type { PeerIdentity } from '../fabric/files.ts';
import { compilePolicies } from '../policy/compile.ts';
import type { ChannelEnd } from '../runtime/channel.ts';
import type { ImportBindingStatusListener } from '../api/generated/ImportBinding.ts';
import type { ClientIdentity, Self } from './decisions.ts';
import { makeEgress } from './egress.ts';
import { makeExchangeStreams } from './exchange-streams.ts';
import { dialPeer, startAcceptor, type Acceptor } from './handshake.ts';
import { makeIngress } from './ingress.ts';
import { HEAD_TIMEOUT_MS, STREAMS_PER_SESSION_MAX } from './limits.ts';
import { makeListeners } from './listeners.ts';
import type { DownMessage, GatewaySnapshot, ImportRoute, PeerRoute, UpMessage } from './messages.ts';
import { makePeers, type DialOutcome } from './peers.ts';
import { probeSource } from './probe.ts';
import { readHead } from './read-head.ts';
import { toRoutes, type Routes } from './routes.ts';
import { establishSession, type PeerSession } from './session.ts';
import { usabilityOf } from './source-choice.ts';
import { makeTargetFilter } from './targets.ts';
import { DRAIN_REVOCATION, makeTunnelTable } from './tunnels.ts';
import { encodeAnswer, parseStreamRequest } from './wire/connect.ts';
import { makeRequestHeadParser } from './wire/head.ts';
import type { YamuxStream } from './yamux/stream.ts';

export interface DataPlaneOptions {
  readonly self: Self;
  /** The uid of this installation. */
  readonly epoch: string;
  readonly version: string;
  /** Read at every handshake: renewal needs no restart. */
  readonly identity: () => PeerIdentity;
  /** Absent: this peer only dials. */
  readonly listen?: { readonly host: string; readonly port: number };
  readonly client: ClientIdentity;
  /** What exports may be dialled (configuration `exports.targets`). */
  readonly targets: readonly string[];
  readonly pool: string;
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
  const { self, epoch, version, identity, listen, client, channel } = options;
  const instance = randomUUID();
  const now = (): number => performance.now();
  const post = (message: UpMessage): void => channel.post(message);
  let routes = NOTHING;
  let draining = false;
  let acceptor: Acceptor | undefined;

  const table = makeTunnelTable();
  const ownListeners = (): { address: string; port: number }[] =>
    acceptor === undefined ? [] : [{ address: acceptor.address.host, port: acceptor.address.port }];
  const events = {
    onOpened: (direction: 'egress' | 'ingress') => () => post({ kind: 'opened', direction }),
    onClosed: (record: Extract<UpMessage, { kind: 'closed' }>['record']) => post({ kind: 'closed', record }),
  };
  const ingress = makeIngress({
    self,
    routes: () => routes,
    targets: () => makeTargetFilter(options.targets, { listeners: ownListeners(), pool: options.pool }),
    table,
    now,
    onOpened: events.onOpened('ingress'),
    onClosed: events.onClosed,
  });
  const peers = makePeers({
    dial,
    onChange(observation) {
      post({ kind: 'peer', peer: observation });
      refreshImports();
    },
  });
  const egress = makeEgress({
    self,
    client,
    routes: () => routes,
    peers,
    ingress,
    table,
    now,
    onOpened: events.onOpened('egress'),
    onClosed: events.onClosed,
  });
  const exchanges = makeExchangeStreams({ peers, post });
  const listenerStates = new Map<string, readonly ImportBindingStatusListener[]>();
  const listeners = makeListeners({
    onClient: (arrival, socket) => void egress.serveClient(arrival, socket),
    onState(object, states) {
      listenerStates.set(object, states);
      const route = routes.imports.get(object);
      if (route !== undefined) observeImport(route);
    },
  });

  /** A session: from a finished handshake to the hellos, and into the table of peers. */
  async function greet(role: 'dialler' | 'acceptor', peer: string, socket: TLSSocket): Promise<DialOutcome> {
    const hello = { peer: self.name, epoch, instance, version, features: [], streams: STREAMS_PER_SESSION_MAX };
    try {
      const session = await establishSession({
        socket,
        role,
        peer,
        hello,
        onStream: (owner, stream) => void serveStream(owner, stream),
        onDraining: (owner) => peers.changed(owner, undefined),
        onClose: (owner, error) => peers.changed(owner, { error }),
      });
      return { ok: true, session };
    } catch (error) {
      const { code, message } = error as AppError;
      return { ok: false, reason: code === 'ERR_MALFORMED' ? REASONS.Malformed : REASONS.HandshakeTimeout, message };
    }
  }

  async function dial(
    peer: PeerRoute,
    gateway: PeerRoute['gateways'][number],
    signal: AbortSignal,
  ): Promise<DialOutcome> {
    const dialled = await dialPeer({ peer: peer.name, gateway, identity: identity(), signal });
    return dialled.ok ? greet('dialler', peer.name, dialled.socket) : dialled;
  }

  async function accept(peer: string, socket: TLSSocket): Promise<void> {
    const from = socket.remoteAddress ?? 'unknown';
    if (!peers.isKnown(peer)) {
      socket.destroy();
      return post({ kind: 'refused', reason: REASONS.PeerUnknown, from: `${peer} at ${from}` });
    }
    const greeted = await greet('acceptor', peer, socket);
    if (!greeted.ok) return post({ kind: 'refused', reason: greeted.reason, from: `${peer} at ${from}` });
    if (peers.add(greeted.session)) return;
    greeted.session.destroy(new AppError('ERR_BOUND_EXCEEDED', `peer ${peer}: has too many sessions or is gone`));
    post({ kind: 'refused', reason: REASONS.Overloaded, from: `${peer} at ${from}` });
  }

  /** What a peer has opened: one connection to an export, or the exchange. */
  async function serveStream(session: PeerSession, stream: YamuxStream): Promise<void> {
    if (draining) return stream.reset();
    try {
      const request = parseStreamRequest(await readHead(stream, makeRequestHeadParser(), HEAD_TIMEOUT_MS));
      stream.on('error', () => undefined);
      if (request.kind === 'exchange') exchanges.serve(session, stream);
      else await ingress.serveConnect(session, stream, request.request);
    } catch (error) {
      const { code } = error as AppError;
      if (code === 'ERR_MALFORMED') stream.end(encodeAnswer({ ok: false, status: 400, reason: 'malformed' }));
      else stream.reset();
      const reason = code === 'ERR_MALFORMED' ? REASONS.Malformed : REASONS.HandshakeTimeout;
      if (code !== 'ERR_STREAM_RESET') post({ kind: 'refused', reason, from: session.peer });
    }
  }

  function applySnapshot(snapshot: GatewaySnapshot): void {
    const before = routes;
    routes = toRoutes(snapshot);
    peers.apply(routes.peers);
    table.recheck(routes);
    for (const object of before.imports.keys()) if (!routes.imports.has(object)) listenerStates.delete(object);
    refreshImports();
    post({ kind: 'acknowledged', version: snapshot.version });
  }

  /** Listeners and readiness follow what can be used now. */
  function refreshImports(): void {
    listeners.apply(draining ? [] : routes.imports.values(), (route, port) =>
      route.sources.some((source) => source.ports.includes(port) && isUsable(source)),
    );
    for (const route of routes.imports.values()) observeImport(route);
  }

  function isUsable(source: ImportRoute['sources'][number]): boolean {
    return usabilityOf({ self: self.name, source, reachable: peers.reachable }).usable;
  }

  const observed = new Map<string, string>();
  function observeImport(route: ImportRoute): void {
    const sources = route.sources.map((source) => {
      const { peer, namespace, name } = source;
      return { peer, namespace, name, ...usabilityOf({ self: self.name, source, reachable: peers.reachable }) };
    });
    const observation = { key: route.key, listeners: listenerStates.get(formatKey(route.key)) ?? [], sources };
    const text = JSON.stringify(observation);
    if (observed.get(formatKey(route.key)) === text) return;
    observed.set(formatKey(route.key), text);
    post({ kind: 'import', import: observation });
  }

  async function drain(deadlineMs: number): Promise<void> {
    draining = true;
    for (const session of peers.sessions()) session.drain(deadlineMs);
    refreshImports();
    await table.whenEmpty(deadlineMs);
    table.abortAll(DRAIN_REVOCATION);
    post({ kind: 'drained' });
  }

  channel.onMessage((message) => {
    switch (message.kind) {
      case 'snapshot':
        return applySnapshot(message.snapshot);
      case 'probe':
        return void probeSource({ self, client, ingress, peers, ...message }).then((outcome) => {
          post({ kind: 'probed', id: message.id, outcome });
        });
      case 'drain':
        return void drain(message.deadlineMs);
      default:
        return exchanges.digest(message);
    }
  });

  if (listen !== undefined) {
    acceptor = await startAcceptor({
      listen,
      identity,
      onPeer: (peer, socket) => void accept(peer, socket),
      onRefused: (reason, from) => post({ kind: 'refused', reason, from }),
    });
    post({ kind: 'listening', address: `${acceptor.address.host}:${acceptor.address.port}` });
  }

  return {
    async close() {
      draining = true;
      exchanges.close();
      await listeners.close();
      table.abortAll(DRAIN_REVOCATION);
      peers.close();
      await acceptor?.close();
    },
  };
}
