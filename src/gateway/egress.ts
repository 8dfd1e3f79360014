/** A local client of an import: who is it, which source, may it, open, relay. Reads top to bottom in `serveClient`. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { canonicalAddress } from '../api/addresses.ts';
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import { formatSource } from '../api/record.ts';
import { resetSocket } from '../runtime/reset-socket.ts';
import { makeAffinity } from './affinity.ts';
import { askerOf, limitAsker, signalOf } from './asker.ts';
import { toAsserted } from './asserted.ts';
import { makeConnectionId } from './connection-id.ts';
import { endsOf } from './connection-ends.ts';
import { explainUnidentified, isUnidentified, type ClientIdentity } from './client-identity.ts';
import type { ClientTable } from './client-table.ts';
import type { DecisionMemory } from './decision-memory.ts';
import { describeDenial, type Self } from './decisions.ts';
import { isSpent, makeEarlyBytes, type EarlyBytes } from './early-bytes.ts';
import type { Ejections } from './ejection.ts';
import { makeImportConnections } from './import-connections.ts';
import type { ExportAccess, Ingress } from './ingress.ts';
import type { Origin } from './introduce.ts';
import { CONNECTIONS_PER_IMPORT_MAX, SESSIONS_PER_CONNECTION_MAX, SWITCH_AFTER_MS } from './limits.ts';
import type { Arrival } from './listeners.ts';
import type { ClosingRecord, ConnectionSubject, ImportRoute, RouteSource } from './messages.ts';
import type { Peers } from './peers.ts';
import type { Reasker, ToldConnection } from './reask.ts';
import { resetConnection } from './relay.ts';
import type { Routes } from './routes.ts';
import { openConnection, takesEarlyBytes, type PeerLink } from './link.ts';
import { portThere } from './source-choice.ts';
import { makeSourceChooser, type Choice } from './source-chooser.ts';
import { trySources, type SourceFailure, type SourceOutcome } from './try-sources.ts';
import { runTunnel, type PeerSide } from './tunnel.ts';
import { refusalRecord, type Refused, type Revocation, type TunnelTable } from './tunnels.ts';
import { WHOLE, type Shares } from './shares.ts';
import type { ConnectRequest } from './wire/connect.ts';
import type { Source } from './wire/source.ts';

export interface EgressOptions {
  readonly self: Self;
  readonly decisions: DecisionMemory;
  readonly clients: ClientTable;
  /** What an exporter is told of a client for affinity. */
  clientKey(client: { readonly exporter: string; readonly address: string }): string;
  readonly routes: () => Routes;
  readonly peers: Peers;
  readonly ingress: Ingress;
  readonly ejections: Ejections;
  readonly table: TunnelTable;
  readonly now: () => number;
  /** Of connections whose exporter was told who the client is. */
  readonly reasker: Reasker;
  readonly shares?: Shares | undefined;
  onOpened(subject: ConnectionSubject): void;
  onClosed(record: ClosingRecord): void;
}

/** A local connection on its way to a source. */
interface Client {
  readonly arrival: Arrival;
  readonly socket: Socket;
  /** Canonical. */
  readonly address: string;
  readonly connection: string;
  readonly early: EarlyBytes;
}

/** An opened source: the far end of the tunnel, and its half of the decision where that is taken here. */
interface OpenedSource {
  readonly ok: true;
  readonly upstream: Duplex;
  readonly peerSide?: PeerSide;
  /** What another peer was told of the client; absent where the source is this peer's own. */
  readonly said?: Source;
  recheck?(routes: Routes): Revocation | undefined;
}

/** A source, and the time that it has to answer. */
interface Attempted {
  readonly source: RouteSource;
  readonly choice: Choice;
  readonly timeoutMs: number;
}

export interface Egress {
  serveClient(arrival: Arrival, socket: Socket): Promise<void>;
  /** Forgets what is kept of imports that are not among these. */
  retain(imports: ReadonlyMap<string, ImportRoute>): void;
}

export function makeEgress(options: EgressOptions): Egress {
  const { self, decisions, clients, clientKey, routes, peers, ingress, ejections, table, now, reasker } = options;
  const { onOpened, onClosed, shares = WHOLE } = options;
  const connections = makeImportConnections(shares);
  const via = [self.name];
  const affinity = makeAffinity({ now });
  const chooser = makeSourceChooser({
    random: Math.random,
    latencyMsOf: (peer) => (peer === self.name ? 0 : peers.linkFor(peer)?.rttMs),
  });

  async function serveClient(arrival: Arrival, socket: Socket): Promise<void> {
    const { object } = arrival;
    const openedMs = now();
    const connection = makeConnectionId();
    const address = canonicalAddress(socket.remoteAddress ?? '');
    const subjectAt = (peer: string): ConnectionSubject => ({ connection, direction: 'egress', object, peer });
    // Until it is relayed nobody else listens; a client that resets meanwhile must not end the process.
    socket.on('error', () => undefined);
    const early = makeEarlyBytes(socket);
    const refuse = (failure: Revocation, peer: string): void => {
      resetSocket(socket);
      early.release();
      const { reason, message } = failure;
      const durationMs = now() - openedMs;
      onClosed(refusalRecord({ ...subjectAt(peer), reason, message, durationMs, ...recordOf(early.sentBytes) }));
    };

    if (!connections.take(object)) {
      return refuse({ reason: REASONS.Overloaded, message: `${CONNECTIONS_PER_IMPORT_MAX} connections are open.` }, '');
    }
    const settled = table.opening();
    try {
      const known = clients.identify(address, askerOf(socket));
      if (known instanceof Promise) await known;
      const client: Client = { arrival, socket, address, connection, early };
      const opened = await openAny(client);
      if (!opened.ok) {
        if (isDenial(opened.reason)) table.refuse(toRefused(subjectAt(opened.peer), { arrival, address }));
        return refuse(opened, opened.peer);
      }
      const { source, attempt } = opened;
      if (socket.destroyed) {
        resetConnection(
          attempt.upstream,
          new AppError('ERR_STREAM_RESET', `connection ${connection}: its client left`),
        );
        return refuse({ reason: REASONS.Aborted, message: 'The client left before a source was open.' }, source.peer);
      }
      const subject = subjectAt(source.peer);
      onOpened(subject);
      const sentBytes = early.sentTo(attempt.upstream);
      const record = await runTunnel({
        subject,
        message: formatSource(source),
        openedMs,
        earlyBytes: early.handOver(attempt.upstream),
        table,
        now,
        client: address,
        downstream: socket,
        upstream: attempt.upstream,
        peerSide: attempt.peerSide,
        recheck: (next) => recheckEgress(next, { arrival, address }, source) ?? attempt.recheck?.(next),
        onStart: attempt.said === undefined ? undefined : watchClient(client, source, attempt.said),
      });
      // A peer may end both directions while the client has not ended its own: nobody listens to that any more.
      socket.destroy();
      onClosed(sentBytes === 0 ? record : { ...record, earlyBytes: sentBytes });
    } finally {
      settled();
      connections.giveBack(object);
    }
  }

  /** Apart, so that what is remembered of it does not hold its socket. */
  function toRefused(subject: ConnectionSubject, from: Pick<Client, 'arrival' | 'address'>): Refused {
    const isOpen = (next: Routes, source: RouteSource): boolean =>
      recheckEgress(next, from, source) === undefined &&
      (source.peer !== self.name || ingress.recheck(next, accessOf(from, source)) === undefined);
    return {
      subject,
      isAllowed: (next) =>
        next.imports.get(from.arrival.object)?.sources.some((source) => isOpen(next, source)) ?? false,
    };
  }

  function watchClient({ arrival, address }: Client, source: RouteSource, said: Source) {
    const port = portThere(source, arrival.port);
    return (abort: ToldConnection['abort']) => reasker.add({ address, source, port, said, abort });
  }

  function openAny(from: Client): Promise<SourceOutcome<OpenedSource>> {
    const route = routes().imports.get(from.arrival.object);
    if (route === undefined)
      return Promise.resolve({ ...fail(REASONS.ImportDeleted, 'The import is gone.'), peer: '' });
    const choice = chooseSources(from, route);
    return trySources<OpenedSource>({
      sources: choice.sources,
      ejections,
      mayTry: (source) =>
        decisions.egress({ routes: routes(), self, client: clients.at(from.address), route, source }).allowed,
      open: (source, timeoutMs) => openSource(from, { source, choice, timeoutMs }),
      isGone: () => from.socket.destroyed,
    });
  }

  function chooseSources({ arrival: { object, port }, address }: Client, route: ImportRoute): Choice {
    const { affinityTimeoutSeconds } = route;
    const query = { self: self.name, route, port, reachable: peers.reachable, isMissed, isEjected };
    if (affinityTimeoutSeconds === undefined) return chooser.choose(query);
    const had = affinity.recall({ object, address }, affinityTimeoutSeconds * 1_000);
    return chooser.choose({ ...query, sticky: { key: `${object} ${address}`, had } });
  }

  const isMissed = (peer: string): boolean => peer !== self.name && !peers.isConnected(peer);
  const isEjected = (source: RouteSource): boolean => ejections.standingOf(source) === 'ejected';

  function openSource(from: Client, attempted: Attempted): Promise<OpenedSource | SourceFailure> {
    const { source, choice } = attempted;
    const route = routes().imports.get(from.arrival.object);
    if (route === undefined) return Promise.resolve(fail(REASONS.ImportDeleted, 'The import is gone.'));
    const client = clients.at(from.address);
    const admission = decisions.egress({ routes: routes(), self, client, route, source });
    if (!admission.allowed) return Promise.resolve(fail(admission.reason, describeDenial(admission)));
    choice.attempt(source);
    const opening = source.peer === self.name ? openHere(from, attempted) : openThere(from, attempted, route);
    return opening.then((attempt) => (attempt.ok ? confirm(from, source, attempt) : attempt));
  }

  /** A snapshot, or news of the client, may have come while the source was opened. */
  function confirm(from: Client, source: RouteSource, attempt: OpenedSource): OpenedSource | SourceFailure {
    const { object } = from.arrival;
    const revoked = recheckEgress(routes(), from, source) ?? attempt.recheck?.(routes());
    if (revoked === undefined) {
      if (routes().imports.get(object)?.affinityTimeoutSeconds !== undefined) {
        affinity.remember({ object, address: from.address }, formatSource(source));
      }
      return attempt;
    }
    attempt.peerSide?.tellCut(revoked);
    resetConnection(attempt.upstream, new AppError('ERR_STREAM_RESET', `connection ${from.connection}: revoked`));
    const failure = fail(revoked.reason, revoked.message);
    const sentBytes = from.early.sentTo(attempt.upstream);
    return isSpent({ ending: 'revoked', sentBytes }) ? { ...failure, spent: true } : failure;
  }

  async function openHere(
    { arrival, socket, address, connection }: Client,
    { source, timeoutMs }: Attempted,
  ): Promise<OpenedSource | SourceFailure> {
    const accessNow = (): ExportAccess => accessOf({ arrival, address }, source);
    const asker = limitAsker(askerOf(socket), timeoutMs);
    const origin: Origin = { kind: 'client', connection, ends: endsOf(socket) };
    const opened = await ingress.open({ access: accessNow(), asker, origin });
    asker.end();
    if (!opened.ok && asker.isLate) {
      return { ...fail(REASONS.DialFailed, `No endpoint has answered in ${timeoutMs} ms.`), overdue: true };
    }
    if (!opened.ok) return opened;
    return { ok: true, upstream: opened.socket, recheck: (next) => ingress.recheck(next, accessNow()) };
  }

  /** What this peer itself is asked, for a client as it is known now. */
  function accessOf({ arrival, address }: Pick<Client, 'arrival' | 'address'>, source: RouteSource): ExportAccess {
    return {
      peer: self.name,
      asserted: null,
      own: clients.at(address),
      export: source,
      port: portThere(source, arrival.port),
      clientKey: clientKey({ exporter: self.name, address }),
    };
  }

  /** Over another session of the same peer, if one fails before it carried anything: another replica may do. */
  async function openThere(
    from: Client,
    { source, timeoutMs }: Attempted,
    route: ImportRoute,
  ): Promise<OpenedSource | SourceFailure> {
    const client = clients.at(from.address);
    const said = toAsserted(client);
    let failure = fail(REASONS.PeerUnreachable, `No session with ${source.peer}.`);
    const tried = new Set<PeerLink>();
    for (let count = 1; count <= SESSIONS_PER_CONNECTION_MAX; count++) {
      const next = peers.nextLink(source.peer, { tried, signal: () => signalOf(askerOf(from.socket)) });
      const session = next instanceof Promise ? await next : next;
      if (session === undefined) break;
      tried.add(session);
      const hasReplica = count < SESSIONS_PER_CONNECTION_MAX && peers.hasReplicaOf(session, tried);
      const request: ConnectRequest = {
        exporter: source.peer,
        // The object stands for what requests of this source have in common.
        export: source,
        port: { port: portThere(source, from.arrival.port), protocol: 'TCP' },
        source: said,
        client:
          route.affinityTimeoutSeconds === undefined
            ? from.connection
            : clientKey({ exporter: source.peer, address: from.address }),
        connection: from.connection,
        via,
        crit: NO_FIELDS,
      };
      const attempt = await openConnection(session, request, {
        timeoutMs: hasReplica ? SWITCH_AFTER_MS : timeoutMs,
        early:
          route.earlyData !== 'Off' && takesEarlyBytes(session)
            ? { bytes: from.early, mayPass: () => recheckEgress(routes(), from, source) === undefined }
            : undefined,
      });
      if (attempt.ok) return { ok: true, upstream: attempt.upstream, peerSide: attempt.peerSide, said };
      failure = withClient(attempt, client);
      if (attempt.overdue === true) {
        peers.passOver(session);
        // The same process would let it wait again.
        if (!hasReplica || timeoutMs <= SWITCH_AFTER_MS) break;
        const { instance } = session.hello;
        for (const link of peers.linksFor(source.peer)) if (link.hello.instance === instance) tried.add(link);
      }
      if (failure.spent === true || !isOfLink(attempt) || from.socket.destroyed) break;
    }
    return failure;
  }

  function recheckEgress(
    next: Routes,
    { arrival: { object, port }, address }: Pick<Client, 'arrival' | 'address'>,
    source: RouteSource,
  ): Revocation | undefined {
    const route = next.imports.get(object);
    if (route === undefined) return { reason: REASONS.ImportDeleted, message: 'The import is gone.' };
    if (source.peer !== self.name && !next.peers.has(source.peer)) {
      return { reason: REASONS.PeerUnknown, message: `There is no Peer object for ${source.peer} any more.` };
    }
    // Of the same snapshot it is the same object.
    const present = route.sources.includes(source)
      ? source
      : route.sources.find((candidate) => formatSource(candidate) === formatSource(source));
    if (present?.ports.includes(port) !== true) {
      const message = `${formatSource(source)} backs port ${port} of the import no longer.`;
      return { reason: REASONS.ExportDeleted, message };
    }
    const admission = decisions.egress({ routes: next, self, client: clients.at(address), route, source: present });
    if (admission.allowed) return undefined;
    const reason = admission.reason === REASONS.ClientUnknown ? admission.reason : REASONS.PolicyChanged;
    return { reason, message: describeDenial(admission) };
  }

  return {
    serveClient,
    retain(imports) {
      connections.retain(imports);
      chooser.retain(imports);
      affinity.retain(imports);
      if (ejections.size === 0) return;
      const sources = [...imports.values()].flatMap((route) => route.sources.map(formatSource));
      ejections.retain(new Set(sources));
    },
  };
}

const NO_FIELDS: readonly string[] = [];

function isDenial(reason: Reason): boolean {
  return reason === REASONS.EgressDenied || reason === REASONS.IngressDenied || reason === REASONS.ClientUnknown;
}

/** Another way to the same peer may do. */
function isOfLink({ reason, unasked }: SourceFailure): boolean {
  return reason === REASONS.PeerUnreachable || reason === REASONS.Drained || unasked === true;
}

function recordOf(sentBytes: number): Pick<ClosingRecord, 'earlyBytes'> {
  return sentBytes === 0 ? {} : { earlyBytes: sentBytes };
}

function fail(reason: Reason, message: string): SourceFailure {
  return { ok: false, reason, message };
}

/** The exporter says no more than `denied`; that it was told nothing of the client may be why. */
function withClient(failure: SourceFailure, client: ClientIdentity): SourceFailure {
  const { reason, message } = failure;
  if (reason !== REASONS.IngressDenied || !isUnidentified(client)) return failure;
  return fail(reason, `${message} ${explainUnidentified(client).message}`);
}
