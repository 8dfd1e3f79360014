/** A local client of an import: who is it, which source, may it, open, relay. Reads top to bottom in `serveClient`. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { REASONS, type Reason } from '../api/reasons.ts';
import { formatSource } from '../api/record.ts';
import { decideEgress, type ClientIdentity, type Self } from './decisions.ts';
import type { ExportAccess, Ingress } from './ingress.ts';
import { CONNECTIONS_PER_IMPORT_MAX } from './limits.ts';
import type { Arrival } from './listeners.ts';
import type { ClosingRecord, ImportRoute, RouteSource } from './messages.ts';
import { openStream } from './open-stream.ts';
import type { Peers } from './peers.ts';
import type { Routes } from './routes.ts';
import { orderSources } from './source-choice.ts';
import { runTunnel } from './tunnel.ts';
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

/** An opened source: the far end of the tunnel, and how to ask its half of the decision again. */
export interface OpenedSource {
  readonly upstream: Duplex;
  recheck(routes: Routes): Revocation | undefined;
  explainCut?(): { readonly reason: Reason; readonly message: string } | undefined;
}

export type SourceAttempt =
  ({ readonly ok: true } & OpenedSource) | { readonly ok: false; readonly reason: Reason; readonly message: string };

export interface Egress {
  serveClient(arrival: Arrival, socket: Socket): Promise<void>;
}

export function makeEgress(options: EgressOptions): Egress {
  const { self, client, routes, peers, ingress, table, now, onOpened, onClosed } = options;
  const turns = new Map<string, number>();
  const openByImport = new Map<string, number>();

  async function serveClient({ object, port }: Arrival, socket: Socket): Promise<void> {
    const openedMs = now();
    const connection = randomBytes(16).toString('hex');
    const subject = { connection, direction: 'egress' as const, object };
    // Until it is relayed nobody else listens; a client that resets meanwhile must not end the process.
    socket.on('error', () => undefined);
    const refuse = (failure: { reason: Reason; message: string }, peer = ''): void => {
      socket.resetAndDestroy();
      onClosed(refusalRecord({ ...subject, ...failure, peer, durationMs: now() - openedMs }));
    };

    const route = routes().imports.get(object);
    if (route === undefined) return refuse({ reason: REASONS.ImportDeleted, message: 'The import is gone.' });
    if ((openByImport.get(object) ?? 0) >= CONNECTIONS_PER_IMPORT_MAX) {
      return refuse({ reason: REASONS.Overloaded, message: `${CONNECTIONS_PER_IMPORT_MAX} connections are open.` });
    }
    count(object, 1);
    try {
      const turn = turns.get(object) ?? 0;
      turns.set(object, turn + 1);
      const sources = orderSources({ self: self.name, route, port, reachable: peers.reachable, turn });
      let failure: { reason: Reason; message: string } = {
        reason: REASONS.NoUsableSource,
        message: 'No source can be used now.',
      };
      let failedPeer = '';
      for (const source of sources) {
        const attempt = await openSource({ route, source, port, connection });
        if (attempt.ok) return await relay({ attempt, source, route });
        // A source that is denied here says less than one that was tried.
        if (failedPeer === '' || attempt.reason !== REASONS.EgressDenied) failure = attempt;
        failedPeer = source.peer;
        if (socket.destroyed) break;
      }
      refuse(failure, failedPeer);
    } finally {
      count(object, -1);
    }

    async function relay(chosen: { attempt: OpenedSource; source: RouteSource; route: ImportRoute }): Promise<void> {
      const { attempt, source } = chosen;
      if (socket.destroyed) {
        attempt.upstream.destroy();
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
        recheck: (next) => recheckEgress(next, object, source) ?? attempt.recheck(next),
        ...(attempt.explainCut === undefined ? {} : { explainCut: attempt.explainCut }),
      });
      onClosed(record);
    }
  }

  async function openSource(input: {
    readonly route: ImportRoute;
    readonly source: RouteSource;
    readonly port: number;
    readonly connection: string;
  }): Promise<SourceAttempt> {
    const { route, source, port, connection } = input;
    const admission = decideEgress({ routes: routes(), self, client, route, source });
    if (!admission.allowed) return { ok: false, reason: admission.reason, message: admission.message };
    if (source.peer === self.name) {
      const access: ExportAccess = { peer: self.name, asserted: client, export: source, port };
      const opened = await ingress.open(access);
      return opened.ok
        ? { ok: true, upstream: opened.socket, recheck: (next) => ingress.recheck(next, access) }
        : opened;
    }
    const session = peers.sessionFor(source.peer);
    if (session === undefined)
      return { ok: false, reason: REASONS.PeerUnreachable, message: `No session with ${source.peer}.` };
    return openStream(session, {
      exporter: source.peer,
      export: { namespace: source.namespace, name: source.name },
      port: { port, protocol: 'TCP' },
      source: toAsserted(client),
      client: connection,
      connection,
      via: [self.name],
      crit: [],
    });
  }

  function recheckEgress(next: Routes, object: string, source: RouteSource): Revocation | undefined {
    const route = next.imports.get(object);
    if (route === undefined) return { reason: REASONS.ImportDeleted, message: 'The import is gone.' };
    const present = route.sources.find(
      ({ peer, namespace, name }) => formatSource({ peer, namespace, name }) === formatSource(source),
    );
    if (present === undefined)
      return { reason: REASONS.ExportDeleted, message: `${formatSource(source)} backs the import no longer.` };
    const admission = decideEgress({ routes: next, self, client, route, source: present });
    return admission.allowed ? undefined : { reason: REASONS.PolicyChanged, message: admission.message };
  }

  function count(object: string, change: 1 | -1): void {
    const next = (openByImport.get(object) ?? 0) + change;
    if (next > 0) openByImport.set(object, next);
    else openByImport.delete(object);
  }

  return { serveClient };
}

/** What this peer says of its client: the other believes as much as its Peer object for us grants. */
export function toAsserted({ namespace, serviceAccount, labels }: ClientIdentity): Record<string, string> {
  const labelled = Object.entries(labels).map(([key, value]) => [`labels.${key}`, value] as const);
  return { namespace, serviceAccount, ...Object.fromEntries(labelled) };
}
