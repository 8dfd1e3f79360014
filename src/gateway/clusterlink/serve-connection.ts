/** One connection in ClusterLink's form: request after request, and in the end perhaps a tunnel. Reads top to bottom. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { AppError } from '../../api/errors.ts';
import { formatKey } from '../../api/object.ts';
import { REASONS, type Reason } from '../../api/reasons.ts';
import { resetSocket } from '../../runtime/reset-socket.ts';
import { endsOf } from '../connection-ends.ts';
import type { Self } from '../decisions.ts';
import { askerOf } from '../asker.ts';
import { heldBytesOf } from '../held-bytes.ts';
import type { ExportAccess, Ingress } from '../ingress.ts';
import type { Origin } from '../introduce.ts';
import type { ClosingRecord, ConnectionSubject } from '../messages.ts';
import type { PeerBounds } from '../peer-bounds.ts';
import { readHead } from '../read-head.ts';
import type { Routes } from '../routes.ts';
import { runTunnel } from '../tunnel.ts';
import { refusalRecord, type Revocation, type TunnelTable } from '../tunnels.ts';
import type { Turns } from '../turns.ts';
import { makeBodiedRequestHeadParser, type RequestHead } from '../wire/head.ts';
import { HEAD_BYTES_MAX } from '../wire/limits.ts';
import type { AccessGrant, AccessTokens } from './access-token.ts';
import {
  answerGranted,
  answerHealthz,
  answerRefused,
  CONNECTED,
  type AfterAnswer,
  type AnswerStatus,
} from './answers.ts';
import { makeBodyParser, type BodyFraming } from './body.ts';
import { findNamedPort } from './export-name.ts';
import { REQUEST_BODY_BYTES_MAX, REQUEST_IDLE_MS, REQUEST_TIMEOUT_MS } from './limits.ts';
import { parseAuthz, parseRequest } from './requests.ts';
import type { ServedConnection } from './served-connections.ts';
import { waitForBytes } from './wait-for-bytes.ts';
import { answerAndClose, writeAnswer } from './write-answer.ts';

export interface ServeOptions {
  readonly self: Self;
  readonly routes: () => Routes;
  readonly ingress: Ingress;
  readonly tokens: AccessTokens;
  readonly table: TunnelTable;
  readonly bounds: PeerBounds;
  readonly turns: Turns;
  readonly now: () => number;
  /** As in a question to policies: whether a peer without a Peer object may ask. */
  readonly strangers?: 'may-ask';
  /** `leaving`: a connection ends with its answer, so that the next one goes elsewhere. */
  phase(): 'serving' | 'leaving' | 'draining';
  onOpened(subject: ConnectionSubject): void;
  onClosed(record: ClosingRecord): void;
  onRefused(reason: Reason, from: string): void;
}

/** What somebody has asked for, decided or not. */
interface Asked {
  readonly access: ExportAccess;
  readonly connection: string;
  readonly openedMs: number;
}

/** What comes of a request; `tunnel`: the connection was used up. */
type Outcome = { readonly kind: 'answer'; readonly bytes: Buffer } | Refusal | { readonly kind: 'tunnel' };

interface Refusal {
  readonly kind: 'refusal';
  readonly status: Exclude<AnswerStatus, 200>;
  /** No further request is read from its connection. */
  readonly last?: 'last';
}

const TUNNEL: Outcome = { kind: 'tunnel' };

export function makeServeConnection(options: ServeOptions): (connection: ServedConnection) => Promise<void> {
  const { self, routes, ingress, tokens, table, bounds, turns, now, phase, onOpened, onClosed, onRefused } = options;
  const { strangers } = options;

  /** Never rejects; the socket is closed when it resolves, or is about to be. */
  async function serveConnection(connection: ServedConnection): Promise<void> {
    const { socket } = connection;
    let hasRequest = await hasFirst(connection);
    for (; hasRequest; hasRequest = await hasNext(connection)) {
      const outcome = await serveRequest(connection);
      if (outcome.kind === 'tunnel') return;
      const after: AfterAnswer = isLast(outcome) ? 'close' : 'keep';
      const bytes = outcome.kind === 'answer' ? outcome.bytes : answerRefused(outcome.status, after);
      if (after === 'close') return answerAndClose(socket, bytes);
      if (!(await writeAnswer(socket, bytes))) return void socket.destroy();
    }
    socket.destroy();
  }

  async function hasFirst({ peer, socket }: ServedConnection): Promise<boolean> {
    const hasBytes = await waitForBytes(socket, REQUEST_TIMEOUT_MS);
    // It is still there, and says nothing.
    if (!hasBytes && !socket.destroyed && !socket.readableEnded) onRefused(REASONS.HandshakeTimeout, peer);
    return hasBytes;
  }

  async function hasNext(connection: ServedConnection): Promise<boolean> {
    const busy = connection.idle();
    const hasBytes = await waitForBytes(connection.socket, REQUEST_IDLE_MS);
    busy();
    return hasBytes;
  }

  function isLast(outcome: Outcome): boolean {
    return phase() !== 'serving' || (outcome.kind === 'refusal' && outcome.last !== undefined);
  }

  async function serveRequest(connection: ServedConnection): Promise<Outcome> {
    const { peer } = connection;
    try {
      const request = parseRequest(await readRequestHead(connection));
      const body = request.kind === 'authz' ? await readBody(connection, request.body) : undefined;
      if (phase() === 'draining') onRefused(REASONS.Drained, peer);
      if (phase() === 'draining' || !connection.mayAsk()) return { kind: 'refusal', status: 503, last: 'last' };
      await turns.take(peer);
      if (request.kind === 'healthz') return { kind: 'answer', bytes: answerHealthz(self.labels, afterAnswer()) };
      if (body !== undefined) return authorize(peer, body);
      return await connectFor(connection, request.kind === 'connect' ? request.token : '');
    } catch (error) {
      return refuseUnreadable(peer, error);
    }
  }

  const afterAnswer = (): AfterAnswer => (phase() === 'serving' ? 'keep' : 'close');

  /** The end of its bytes is not known, so this is the last answer. */
  function refuseUnreadable(peer: string, error: unknown): Outcome {
    switch (error instanceof AppError ? error.code : 'ERR_INTERNAL') {
      case 'ERR_MALFORMED':
        onRefused(REASONS.Malformed, peer);
        return { kind: 'refusal', status: 400, last: 'last' };
      case 'ERR_BOUND_EXCEEDED':
        onRefused(REASONS.Malformed, peer);
        return { kind: 'refusal', status: 413, last: 'last' };
      case 'ERR_TIMEOUT':
        onRefused(REASONS.HandshakeTimeout, peer);
        return { kind: 'refusal', status: 400, last: 'last' };
      case 'ERR_STREAM_RESET':
        // The peer left, or left before the end of its request: there is nobody to answer.
        return { kind: 'refusal', status: 400, last: 'last' };
      default:
        onRefused(REASONS.Aborted, peer);
        return { kind: 'refusal', status: 500, last: 'last' };
    }
  }

  /** POST /authz: nothing is dialled, nothing is changed; it may be asked once for each gateway. */
  function authorize(peer: string, body: Buffer): Outcome {
    const { export: wanted, asserted, claimedPeer } = parseAuthz(body);
    const openedMs = now();
    const named = wanted === undefined ? undefined : findNamedPort(routes().exports, wanted);
    if (wanted === undefined) {
      onRefused(REASONS.NothingOffered, peer);
      return { kind: 'refusal', status: 404 };
    }
    const { export: key, port } = named ?? { export: wanted, port: 0 };
    const id = randomBytes(16).toString('hex');
    const grant: AccessGrant = { peer, export: key, port, asserted, connection: id };
    const asked = toAsked(grant, openedMs);
    if (claimedPeer !== undefined && claimedPeer !== peer) {
      const message = `${peer} has asked in the name of another peer.`;
      return refuse(asked, { reason: REASONS.PeerNameMismatch, message });
    }
    const decision = ingress.decide(asked.access);
    if (!decision.ok) return refuse(asked, decision);
    return { kind: 'answer', bytes: answerGranted(tokens.seal(grant), afterAnswer()) };
  }

  function toAsked({ peer, export: key, port, asserted, connection }: AccessGrant, openedMs: number): Asked {
    // What is known of a client is all there is to keep it with one endpoint.
    const clientKey = JSON.stringify(asserted);
    const may = strangers === undefined ? {} : { strangers };
    return { access: { peer, export: key, port, asserted, clientKey, ...may }, connection, openedMs };
  }

  async function connectFor(connection: ServedConnection, token: string): Promise<Outcome> {
    const settled = table.opening();
    try {
      const outcome = await openTunnel(connection, token);
      // What comes behind a CONNECT was meant for a service.
      return outcome.kind === 'refusal' ? { ...outcome, last: 'last' } : outcome;
    } finally {
      settled();
    }
  }

  async function openTunnel(connection: ServedConnection, token: string): Promise<Outcome> {
    const { peer, socket } = connection;
    const openedMs = now();
    const opened = tokens.open(token, peer);
    if (!opened.ok) return refuseToken(peer, opened, openedMs);
    const asked = toAsked(opened.grant, openedMs);
    const dialled = bounds.of(peer).dial();
    if (dialled === undefined) {
      return refuse(asked, { reason: REASONS.Overloaded, message: `${peer} waits for too many endpoints already.` });
    }
    const uncounted = countEarly(connection);
    const { access } = asked;
    const origin: Origin = { kind: 'client', connection: asked.connection, ends: endsOf(socket) };
    const dial = await ingress
      .open({ access, asker: askerOf(socket), origin })
      .finally(dialled)
      .finally(uncounted);
    if (!dial.ok) return socket.destroyed ? leave(asked) : refuse(asked, dial);
    // Snapshots may have come meanwhile, and again while the answer was written.
    const before = ingress.recheck(routes(), asked.access);
    if (before !== undefined || socket.destroyed) {
      resetSocket(dial.socket);
      return before === undefined ? leave(asked) : refuse(asked, before);
    }
    if (!(await writeAnswer(socket, CONNECTED))) {
      resetSocket(dial.socket);
      return leave(asked);
    }
    onOpened(subjectOf(asked));
    onClosed(await carry(connection, asked, { upstream: dial.socket, message: dial.message }));
    return TUNNEL;
  }

  async function carry(
    connection: ServedConnection,
    asked: Asked,
    { upstream, message }: { readonly upstream: Socket; readonly message: string },
  ): Promise<ClosingRecord> {
    const { socket } = connection;
    const { access, openedMs } = asked;
    const recheck = (next: Routes): Revocation | undefined => ingress.recheck(next, access);
    return runTunnel({
      subject: subjectOf(asked),
      message,
      openedMs,
      table,
      now,
      downstream: socket,
      upstream,
      recheck,
      onHeld: () => connection.holds(heldBytesOf(socket) + heldBytesOf(upstream)),
      onStart(abort) {
        const ended = connection.carries(abort);
        const revoked = recheck(routes());
        if (revoked !== undefined) abort(revoked);
        return ended;
      },
    });
  }

  function refuseToken(
    peer: string,
    { why, grant }: { readonly why: Revocation; readonly grant?: AccessGrant },
    openedMs: number,
  ): Outcome {
    if (grant === undefined) onRefused(why.reason, peer);
    else record(toAsked({ ...grant, peer }, openedMs), why);
    return { kind: 'refusal', status: 403 };
  }

  function refuse(asked: Asked, why: Revocation): Outcome {
    record(asked, why);
    const told = ingress.toRefusal(why.reason, asked.access);
    if (told.reason === 'denied') {
      const isAllowed = (next: Routes): boolean => ingress.recheck(next, asked.access) === undefined;
      table.refuse({ subject: subjectOf(asked), isAllowed });
    }
    return { kind: 'refusal', status: why.reason === REASONS.PeerNameMismatch ? 403 : told.status };
  }

  function leave(asked: Asked): Outcome {
    record(asked, { reason: REASONS.Aborted, message: 'The peer left before an endpoint was connected.' });
    return { kind: 'refusal', status: 503 };
  }

  function record(asked: Asked, { reason, message }: Revocation): void {
    onClosed(refusalRecord({ ...subjectOf(asked), reason, message, durationMs: now() - asked.openedMs }));
  }

  return serveConnection;
}

function subjectOf({ access, connection }: Asked): ConnectionSubject {
  return { connection, direction: 'ingress', object: formatKey(access.export), peer: access.peer };
}

function readRequestHead(connection: ServedConnection): Promise<RequestHead> {
  const { socket, headRead } = connection;
  const collected = connection.collects(HEAD_BYTES_MAX);
  return readHead(socket, makeBodiedRequestHeadParser(), REQUEST_TIMEOUT_MS).finally(() => {
    collected();
    headRead();
  });
}

function readBody(connection: ServedConnection, framing: BodyFraming): Promise<Buffer> {
  if (framing.kind === 'none') return Promise.resolve(Buffer.alloc(0));
  const collected = connection.collects(framing.kind === 'length' ? framing.bytes : REQUEST_BODY_BYTES_MAX);
  return readHead(connection.socket, makeBodyParser(framing), REQUEST_TIMEOUT_MS).finally(collected);
}

/**
 * What a peer sends before its 200 waits in the socket, up to its mark: counted as that from the first byte on. Importers that
 * keep to the form send none.
 */
function countEarly(connection: ServedConnection): () => void {
  const { socket } = connection;
  let release: (() => void) | undefined;
  const onReadable = (): void => {
    if (socket.readableLength > 0) release ??= connection.collects(socket.readableHighWaterMark);
  };
  socket.on('readable', onReadable);
  onReadable();
  return () => {
    socket.off('readable', onReadable);
    release?.();
  };
}
