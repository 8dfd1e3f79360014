/** A local client of an import: who is it, which source, may it, open, relay. Reads top to bottom in `serveClient`. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import { formatSource } from '../api/record.ts';
import { decideEgress, type ClientIdentity, type Self } from './decisions.ts';
import { signalOfClose } from './dial.ts';
import type { ExportAccess, Ingress } from './ingress.ts';
import { CONNECTIONS_PER_IMPORT_MAX, SOURCES_PER_CONNECTION_MAX } from './limits.ts';
import type { Arrival } from './listeners.ts';
import type { ClosingRecord, RouteSource } from './messages.ts';
import { openStream } from './open-stream.ts';
import type { Peers } from './peers.ts';
import { resetConnection } from './relay.ts';
import type { Routes } from './routes.ts';
import { orderSources } from './source-choice.ts';
import { runTunnel, type PeerSide } from './tunnel.ts';
import { refusalRecord, type Revocation, type TunnelTable } from './tunnels.ts';

export interface EgressOptions {
  readonly self: Self;
  /** Who local clients are: standalone, one host is one identity. */
  readonly client: ClientIdentity;
  readonly routes: () => Routes;
  readonly peers: Peers;
  readonly ingress: Ingress;
  readonly table: TunnelTable;
  readonly now: () => number;
  onOpened(): void;
  onClosed(record: ClosingRecord): void;
}

/** A local connection on its way to a source. */
interface Client {
  readonly arrival: Arrival;
  readonly socket: Socket;
  readonly connection: string;
}

/** An opened source: the far end of the tunnel, and its half of the decision where that is taken here. */
interface OpenedSource {
  readonly ok: true;
  readonly upstream: Duplex;
  readonly peerSide?: PeerSide;
  recheck?(routes: Routes): Revocation | undefined;
}
type Failure = { readonly ok: false } & Revocation;

export interface Egress {
  serveClient(arrival: Arrival, socket: Socket): Promise<void>;
  /** Forgets what is kept of imports that are not among these. */
  retain(imports: ReadonlyMap<string, unknown>): void;
}

export function makeEgress(options: EgressOptions): Egress {
  const { self, client, routes, peers, ingress, table, now, onOpened, onClosed } = options;
  const turns = new Map<string, number>();
  const openByImport = new Map<string, number>();

  async function serveClient(arrival: Arrival, socket: Socket): Promise<void> {
    const { object } = arrival;
    const openedMs = now();
    const connection = randomBytes(16).toString('hex');
    const subject = { connection, direction: 'egress' as const, object };
    // Until it is relayed nobody else listens; a client that resets meanwhile must not end the process.
    socket.on('error', () => undefined);
    const refuse = (failure: Revocation, peer: string): void => {
      socket.resetAndDestroy();
      const { reason, message } = failure;
      onClosed(refusalRecord({ ...subject, reason, message, peer, durationMs: now() - openedMs }));
    };

    if ((openByImport.get(object) ?? 0) >= CONNECTIONS_PER_IMPORT_MAX) {
      return refuse({ reason: REASONS.Overloaded, message: `${CONNECTIONS_PER_IMPORT_MAX} connections are open.` }, '');
    }
    count(object, 1);
    try {
      const opened = await openAny({ arrival, socket, connection });
      if (!opened.ok) return refuse(opened, opened.peer);
      const { source, attempt } = opened;
      if (socket.destroyed) {
        resetConnection(
          attempt.upstream,
          new AppError('ERR_STREAM_RESET', `connection ${connection}: its client left`),
        );
        return refuse({ reason: REASONS.Aborted, message: 'The client left before a source was open.' }, source.peer);
      }
      onOpened();
      const record = await runTunnel({
        subject: { ...subject, peer: source.peer },
        message: formatSource(source),
        openedMs,
        table,
        now,
        downstream: socket,
        upstream: attempt.upstream,
        peerSide: attempt.peerSide,
        recheck: (next) => recheckEgress(next, arrival, source) ?? attempt.recheck?.(next),
      });
      onClosed(record);
    } finally {
      count(object, -1);
    }
  }

  /** Tries the import's sources in turn until one is open; else gives the failure that says most, and whose it was. */
  async function openAny(
    from: Client,
  ): Promise<
    | { readonly ok: true; readonly source: RouteSource; readonly attempt: OpenedSource }
    | (Failure & { readonly peer: string })
  > {
    const { object, port } = from.arrival;
    const route = routes().imports.get(object);
    if (route === undefined) return { ...fail(REASONS.ImportDeleted, 'The import is gone.'), peer: '' };
    const turn = turns.get(object) ?? 0;
    turns.set(object, turn + 1);
    let failure = { ...fail(REASONS.NoUsableSource, 'No source can be used now.'), peer: '' };
    let tried = 0;
    for (const source of orderSources({ self: self.name, route, port, reachable: peers.reachable, turn })) {
      const attempt = await openSource(from, source);
      if (attempt.ok) return { ok: true, source, attempt };
      const isDenied = attempt.reason === REASONS.EgressDenied;
      // A source that is denied here costs nothing, and says less than one that was tried.
      if (!isDenied) tried++;
      if (!isDenied || failure.peer === '') failure = { ...attempt, peer: source.peer };
      if (from.socket.destroyed || tried >= SOURCES_PER_CONNECTION_MAX) break;
    }
    return failure;
  }

  async function openSource(from: Client, source: RouteSource): Promise<OpenedSource | Failure> {
    const route = routes().imports.get(from.arrival.object);
    if (route === undefined) return fail(REASONS.ImportDeleted, 'The import is gone.');
    const admission = decideEgress({ routes: routes(), self, client, route, source });
    if (!admission.allowed) return fail(admission.reason, admission.message);
    const attempt = await (source.peer === self.name ? openHere(from, source) : openThere(from, source));
    if (!attempt.ok) return attempt;
    // A snapshot may have come while the source was opened.
    const revoked = recheckEgress(routes(), from.arrival, source) ?? attempt.recheck?.(routes());
    if (revoked === undefined) return attempt;
    attempt.peerSide?.tellCut(revoked);
    resetConnection(attempt.upstream, new AppError('ERR_STREAM_RESET', `connection ${from.connection}: revoked`));
    return fail(revoked.reason, revoked.message);
  }

  async function openHere({ arrival, socket }: Client, source: RouteSource): Promise<OpenedSource | Failure> {
    const access: ExportAccess = { peer: self.name, asserted: client, export: source, port: arrival.port };
    const opened = await ingress.open(access, signalOfClose(socket));
    if (!opened.ok) return opened;
    return { ok: true, upstream: opened.socket, recheck: (next) => ingress.recheck(next, access) };
  }

  async function openThere({ arrival, connection }: Client, source: RouteSource): Promise<OpenedSource | Failure> {
    const session = peers.sessionFor(source.peer);
    if (session === undefined) return fail(REASONS.PeerUnreachable, `No session with ${source.peer}.`);
    return openStream(session, {
      exporter: source.peer,
      export: { namespace: source.namespace, name: source.name },
      port: { port: arrival.port, protocol: 'TCP' },
      source: toAsserted(client),
      client: connection,
      connection,
      via: [self.name],
      crit: [],
    });
  }

  function recheckEgress(next: Routes, { object, port }: Arrival, source: RouteSource): Revocation | undefined {
    const route = next.imports.get(object);
    if (route === undefined) return { reason: REASONS.ImportDeleted, message: 'The import is gone.' };
    if (source.peer !== self.name && !next.peers.has(source.peer)) {
      return { reason: REASONS.PeerUnknown, message: `There is no Peer object for ${source.peer} any more.` };
    }
    const present = route.sources.find((candidate) => formatSource(candidate) === formatSource(source));
    if (present?.ports.includes(port) !== true) {
      const message = `${formatSource(source)} backs port ${port} of the import no longer.`;
      return { reason: REASONS.ExportDeleted, message };
    }
    const admission = decideEgress({ routes: next, self, client, route, source: present });
    return admission.allowed ? undefined : { reason: REASONS.PolicyChanged, message: admission.message };
  }

  function count(object: string, change: 1 | -1): void {
    const next = (openByImport.get(object) ?? 0) + change;
    if (next > 0) openByImport.set(object, next);
    else openByImport.delete(object);
  }

  return {
    serveClient,
    retain(imports) {
      for (const object of turns.keys()) if (!imports.has(object)) turns.delete(object);
    },
  };
}

function fail(reason: Reason, message: string): Failure {
  return { ok: false, reason, message };
}

/** What this peer says of its client: the other believes as much as its Peer object for us grants. */
export function toAsserted({ namespace, serviceAccount, labels }: ClientIdentity): Record<string, string> {
  const labelled = Object.entries(labels).map(([key, value]) => [`labels.${key}`, value] as const);
  return { namespace, serviceAccount, ...Object.fromEntries(labelled) };
}
