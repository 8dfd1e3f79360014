/** A stream that a peer has opened: read its head, decide, dial, answer, relay. Reads top to bottom in `serveConnect`. */
import { formatKey } from '../api/object.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import type { CataloguePort, Endpoint } from '../catalogue/types.ts';
import { resetSocket } from '../runtime/reset-socket.ts';
import { orderByKey } from './affinity.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { DecisionMemory } from './decision-memory.ts';
import { describeDenial, mayKnowExport, type Admission, type AssertedClient, type Self } from './decisions.ts';
import { answerAndClose } from './answer-and-close.ts';
import { explainCut, StreamSide, toWire } from './cuts.ts';
import type { Asker } from './asker.ts';
import { dialEndpoint, type DialResult } from './dial.ts';
import { introduce, type Origin } from './introduce.ts';
import { VIA_MAX } from './limits.ts';
import type { ClosingRecord, ConnectionSubject } from './messages.ts';
import type { PeerBounds } from './peer-bounds.ts';
import type { Routes } from './routes.ts';
import type { PeerSession } from './session.ts';
import type { TargetFilter } from './targets.ts';
import { runTunnel } from './tunnel.ts';
import { refusalRecord, type Revocation, type TunnelTable } from './tunnels.ts';
import { encodeAnswer, type ConnectRequest } from './wire/connect.ts';
import { askerUnlessWithdrawn } from './withdrawal-asker.ts';
import type { Source } from './wire/source.ts';
import type { YamuxStream } from './yamux/stream.ts';

export interface IngressOptions {
  readonly self: Self;
  readonly routes: () => Routes;
  readonly decisions: DecisionMemory;
  readonly targets: () => TargetFilter;
  readonly table: TunnelTable;
  readonly bounds: PeerBounds;
  readonly now: () => number;
  onOpened(subject: ConnectionSubject): void;
  onClosed(record: ClosingRecord): void;
  /** A peer asked whether it would be admitted, and would not be: no connection, but not nothing either. */
  onProbeRefused(reason: Reason, peer: string): void;
}

/** What an export's owner says to the one who asks for it: the same decision for peers and for clients of this peer. */
export interface ExportAccess {
  readonly peer: string;
  readonly asserted: AssertedClient;
  readonly export: ConnectRequest['export'];
  readonly port: number;
  /** Opaque, the same for connections of one client: for affinity. */
  readonly clientKey: string;
  /** A client of this peer itself; what it is stands here, and not in `asserted`. */
  readonly own?: ClientIdentity;
  /** As in a question to policies: {@link decideIngress}. */
  readonly strangers?: 'may-ask';
}

/** A connection that is to be made to an endpoint. */
export interface ExportOpening {
  readonly access: ExportAccess;
  readonly asker: Asker;
  readonly origin: Origin;
}

export type ExportDial =
  | { readonly ok: true; readonly socket: Extract<DialResult, { ok: true }>['socket']; readonly message: string }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

export type ExportDecision = { readonly ok: true; readonly message: string } | Extract<ExportDial, { ok: false }>;

export interface Ingress {
  serveConnect(session: PeerSession, stream: YamuxStream, request: ConnectRequest): Promise<void>;
  /** Decides and dials for a client of this peer itself: self is a source like any other (DESIGN §7). */
  open(opening: ExportOpening): Promise<ExportDial>;
  decide(access: ExportAccess): ExportDecision;
  recheck(routes: Routes, access: ExportAccess): Revocation | undefined;
  /** What the one who asks is told: that an export is there, only where it may know that. */
  toRefusal(reason: Reason, access: ExportAccess): ReturnType<typeof toWire>;
}

/** One request of a peer, on its way to an answer. */
interface Asked extends Pick<ConnectRequest, 'connection'> {
  readonly session: PeerSession;
  readonly stream: YamuxStream;
  readonly access: ExportAccess;
  readonly probe: ConnectRequest['probe'];
  readonly openedMs: number;
}

function subjectOf({ access, connection }: Asked) {
  return { connection, direction: 'ingress' as const, object: formatKey(access.export), peer: access.peer };
}

export function makeIngress(options: IngressOptions): Ingress {
  const { self, routes, decisions, targets, table, bounds, now, onOpened, onClosed, onProbeRefused } = options;
  let turn = 0;

  function admit(current: Routes, access: ExportAccess): Admission {
    const { own, peer, asserted, export: key, strangers } = access;
    if (own !== undefined) return decisions.ownIngress({ routes: current, self, client: own, export: key });
    // Written out: asked twice for each connection.
    const question = { routes: current, self, peer, asserted, export: key };
    return decisions.ingress(strangers === undefined ? question : { ...question, strangers });
  }

  function decide(access: ExportAccess): ExportDecision {
    const admission = admit(routes(), access);
    if (!admission.allowed) return { ok: false, reason: admission.reason, message: describeDenial(admission) };
    if (findPort(routes(), access) === undefined) {
      const message = `${formatKey(access.export)} has no TCP port ${access.port}.`;
      return { ok: false, reason: REASONS.NothingOffered, message };
    }
    return { ok: true, message: admission.message };
  }

  async function open({ access, asker, origin }: ExportOpening): Promise<ExportDial> {
    const decision = decide(access);
    if (!decision.ok) return decision;
    const endpoints = endpointsFor(access);
    const { forbidden } = routes().exports.get(formatKey(access.export)) ?? {};
    if (endpoints.length === 0 && forbidden !== undefined) {
      return { ok: false, reason: REASONS.TargetForbidden, message: forbidden };
    }
    const { namespace } = access.export;
    const dialled = await dialEndpoint({ endpoints, namespace, targets: targets(), asker });
    if (!dialled.ok) return dialled;
    const { socket } = dialled;
    // It may fail before its tunnel listens, which finds out by itself.
    socket.on('error', ignore);
    // As it is now: whatever has changed while it was dialled is asked for again by the caller.
    const { mayAssert = [] } = routes().peers.get(access.peer) ?? {};
    if (findPort(routes(), access)?.proxyProtocol !== undefined) introduce(socket, { access, origin, mayAssert });
    return { ok: true, socket, message: decision.message };
  }

  /** Each connection begins one endpoint further, or, with affinity, where its client belongs. */
  function endpointsFor(access: ExportAccess): readonly Endpoint[] {
    const endpoints = findPort(routes(), access)?.endpoints ?? [];
    if (routes().exports.get(formatKey(access.export))?.affinity === 'ClientIP') {
      return orderByKey(`${access.peer} ${access.clientKey}`, endpoints, ({ host, port }) => `${host} ${port}`);
    }
    if (endpoints.length < 2) return endpoints;
    const first = turn++ % endpoints.length;
    return [...endpoints.slice(first), ...endpoints.slice(0, first)];
  }

  function recheck(next: Routes, access: ExportAccess): Revocation | undefined {
    const admission = admit(next, access);
    if (!admission.allowed) return { reason: toRevoked(admission.reason), message: describeDenial(admission) };
    if (findPort(next, access) !== undefined) return undefined;
    const message = `${formatKey(access.export)} has TCP port ${access.port} no longer.`;
    return { reason: REASONS.ExportDeleted, message };
  }

  async function serveConnect(session: PeerSession, stream: YamuxStream, request: ConnectRequest): Promise<void> {
    const { connection, probe } = request;
    const access: ExportAccess = {
      peer: session.peer,
      asserted: toAsserted(request.source),
      export: request.export,
      port: request.port.port,
      clientKey: request.client,
    };
    const asked: Asked = { session, stream, access, connection, probe, openedMs: now() };
    const settled = table.opening();
    try {
      const failure = checkRequest(request, self.name);
      if (failure !== undefined) return refuse(asked, failure);
      if (probe === 'decide') {
        const decision = decide(access);
        return decision.ok ? answerAndClose(stream, { ok: true, connection }) : refuse(asked, decision);
      }
      const dialled = bounds.of(session.peer).dial();
      if (dialled === undefined) {
        const message = `${session.peer} waits for too many endpoints already.`;
        return refuse(asked, { reason: REASONS.Overloaded, message });
      }
      const origin: Origin = probe === 'dial' ? { kind: 'probe' } : { kind: 'client', connection, ends: session.ends };
      const asker = askerUnlessWithdrawn(session, stream);
      let opened: ExportDial;
      try {
        opened = await open({ access, asker, origin });
      } finally {
        dialled();
      }
      const isWithdrawn = session.isWithdrawn(stream);
      asker.end();
      if (stream.destroyed) {
        if (opened.ok) resetSocket(opened.socket);
        const left = { reason: REASONS.Aborted, message: 'The peer left before an endpoint was connected.' };
        return record(asked, (await explainCut({ session, stream, direction: 'ingress' })) ?? left);
      }
      // One that is connected by now is what its client would get last elsewhere.
      if (!opened.ok && isWithdrawn) return refuse(asked, WITHDRAWN);
      if (!opened.ok) return refuse(asked, opened);
      if (probe === 'dial') {
        opened.socket.destroy();
        return answerAndClose(stream, { ok: true, connection });
      }
      // A snapshot may have come while the endpoint was dialled.
      const revoked = recheck(routes(), access);
      if (revoked !== undefined) {
        resetSocket(opened.socket);
        return refuse(asked, revoked);
      }
      onClosed(await carry(asked, opened));
    } finally {
      settled();
    }
  }

  function refuse(asked: Asked, { reason, message }: Revocation): void {
    const { stream, access, connection, probe } = asked;
    answerAndClose(stream, { ok: false, ...toRefusal(reason, access), connection });
    if (probe !== undefined) return onProbeRefused(reason, access.peer);
    record(asked, { reason, message });
    if (toWire(reason).reason !== 'denied') return;
    table.refuse({ subject: subjectOf(asked), isAllowed: (next) => recheck(next, access) === undefined });
  }

  function record(asked: Asked, { reason, message }: Revocation): void {
    const durationMs = now() - asked.openedMs;
    if (asked.probe === undefined) onClosed(refusalRecord({ ...subjectOf(asked), reason, message, durationMs }));
  }

  function carry(asked: Asked, { socket, message }: Extract<ExportDial, { ok: true }>): Promise<ClosingRecord> {
    const { session, stream, access, connection, openedMs } = asked;
    const subject = subjectOf(asked);
    stream.write(encodeAnswer({ ok: true, connection }));
    onOpened(subject);
    return runTunnel({
      subject,
      message,
      openedMs,
      table,
      now,
      downstream: stream,
      upstream: socket,
      peerSide: new StreamSide({ session, stream, direction: 'ingress' }),
      recheck: (next) => recheck(next, access),
    });
  }

  /** That an export is there is told only to peers of which some workload could be admitted (DESIGN §3.3, shapes §4). */
  function toRefusal(reason: Reason, access: ExportAccess): ReturnType<typeof toWire> {
    const coarse = toWire(reason);
    const isToldToExist = coarse.reason === 'denied' && mayKnowExport({ routes: routes(), self, ...access });
    return isToldToExist && reason !== REASONS.NothingOffered ? { ...coarse, status: 403 } : coarse;
  }

  return { serveConnect, open, decide, recheck, toRefusal };
}

const ignore = (): void => undefined;

const WITHDRAWN: Revocation = { reason: REASONS.Aborted, message: 'The peer took it back, to try elsewhere.' };

/** What is wrong with a request before anybody is asked for a decision. */
function checkRequest({ exporter, via, endpoint }: ConnectRequest, self: string): Revocation | undefined {
  if (exporter !== self) return { reason: REASONS.PeerNameMismatch, message: `The request is for ${exporter}.` };
  if (via.includes(self) || via.length > VIA_MAX) {
    return { reason: REASONS.Loop, message: `It came by ${via.join(', ')}.` };
  }
  if (endpoint === undefined) return undefined;
  return {
    reason: REASONS.NothingOffered,
    message: 'It asks for one endpoint of a headless export, which has no ports.',
  };
}

/** What an open connection is told when the answer to its question has changed. */
function toRevoked(reason: Reason): Reason {
  if (reason === REASONS.PeerUnknown || reason === REASONS.ClientUnknown) return reason;
  return reason === REASONS.NothingOffered ? REASONS.ExportDeleted : REASONS.PolicyChanged;
}

function findPort(routes: Routes, { export: key, port }: ExportAccess): CataloguePort | undefined {
  return routes.exports
    .get(formatKey(key))
    ?.ports.find((candidate) => candidate.protocol === 'TCP' && candidate.port === port);
}

function toAsserted(source: Source): AssertedClient {
  if (source === null) return null;
  const known = assertions.get(source);
  if (known !== undefined) return known;
  const asserted = readAssertion(source);
  assertions.set(source, asserted);
  return asserted;
}

/** By what was said: the same word of a peer is the same object, for decisions that are remembered. */
const assertions = new WeakMap<NonNullable<Source>, NonNullable<AssertedClient>>();

/** Attributes come as the policy vocabulary's keys would be guessed by a peer: only these are read. */
function readAssertion(source: NonNullable<Source>): NonNullable<AssertedClient> {
  const labels = Object.entries(source)
    .filter(([key]) => key.startsWith('labels.'))
    .map(([key, value]) => [key.slice('labels.'.length), value] as const);
  const { namespace, serviceAccount } = source;
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    labels: Object.fromEntries(labels),
  };
}
