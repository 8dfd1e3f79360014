/** A stream that a peer has opened: read its head, decide, dial, answer, relay. Reads top to bottom in `serveConnect`. */
import { formatKey } from '../api/object.ts';
import { REASONS, type Reason, type WireReason } from '../api/reasons.ts';
import type { CataloguePort } from '../catalogue/types.ts';
import { decideIngress, type AssertedClient, type Self } from './decisions.ts';
import { dialEndpoint, type DialResult } from './dial.ts';
import { VIA_MAX } from './limits.ts';
import type { ClosingRecord } from './messages.ts';
import type { Routes } from './routes.ts';
import type { PeerSession } from './session.ts';
import type { TargetFilter } from './targets.ts';
import { runTunnel } from './tunnel.ts';
import { refusalRecord, type Revocation, type TunnelTable } from './tunnels.ts';
import { encodeAnswer, type ConnectRequest } from './wire/connect.ts';
import type { YamuxStream } from './yamux/stream.ts';

export interface IngressOptions {
  readonly self: Self;
  readonly routes: () => Routes;
  readonly targets: () => TargetFilter;
  readonly table: TunnelTable;
  readonly now: () => number;
  onOpened(): void;
  onClosed(record: ClosingRecord): void;
}

/** What an export's owner says to the one who asks for it: the same decision for peers and for clients of this peer. */
export interface ExportAccess {
  readonly peer: string;
  readonly asserted: AssertedClient;
  readonly export: ConnectRequest['export'];
  readonly port: number;
}

export type ExportDial =
  | { readonly ok: true; readonly socket: Extract<DialResult, { ok: true }>['socket']; readonly message: string }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

export type ExportDecision = { readonly ok: true; readonly message: string } | Extract<ExportDial, { ok: false }>;

export interface Ingress {
  serveConnect(session: PeerSession, stream: YamuxStream, request: ConnectRequest): Promise<void>;
  /** Decides and dials for a client of this peer itself: self is a source like any other (DESIGN §7). */
  open(access: ExportAccess): Promise<ExportDial>;
  decide(access: ExportAccess): ExportDecision;
  recheck(routes: Routes, access: ExportAccess): Revocation | undefined;
}

export function makeIngress(options: IngressOptions): Ingress {
  const { self, routes, targets, table, now, onOpened, onClosed } = options;
  let turn = 0;

  function decide(access: ExportAccess): ExportDecision {
    const admission = decideIngress({ routes: routes(), self, ...access });
    if (!admission.allowed) return { ok: false, reason: admission.reason, message: admission.message };
    if (findPort(routes(), access) === undefined) {
      const message = `${formatKey(access.export)} has no TCP port ${access.port}.`;
      return { ok: false, reason: REASONS.NothingOffered, message };
    }
    return { ok: true, message: admission.message };
  }

  async function open(access: ExportAccess): Promise<ExportDial> {
    const decision = decide(access);
    if (!decision.ok) return decision;
    const endpoints = findPort(routes(), access)?.endpoints ?? [];
    const dialled = await dialEndpoint({
      endpoints,
      turn: turn++,
      targets: targets(),
      signal: new AbortController().signal,
    });
    return dialled.ok ? { ok: true, socket: dialled.socket, message: decision.message } : dialled;
  }

  function recheck(next: Routes, access: ExportAccess): Revocation | undefined {
    const admission = decideIngress({ routes: next, self, ...access });
    if (admission.allowed) return undefined;
    const reason = admission.reason === REASONS.NothingOffered ? REASONS.ExportDeleted : REASONS.PolicyChanged;
    return {
      reason: admission.reason === REASONS.PeerUnknown ? REASONS.PeerUnknown : reason,
      message: admission.message,
    };
  }

  async function serveConnect(session: PeerSession, stream: YamuxStream, request: ConnectRequest): Promise<void> {
    const openedMs = now();
    const { connection, via, probe } = request;
    const access: ExportAccess = {
      peer: session.peer,
      asserted: toAsserted(request.source),
      export: request.export,
      port: request.port.port,
    };
    const subject = {
      connection,
      direction: 'ingress' as const,
      object: formatKey(request.export),
      peer: session.peer,
    };
    const refuse = (reason: Reason, message: string): void => {
      stream.end(encodeAnswer({ ok: false, ...toWire(reason), connection }));
      stream.resume();
      if (probe === undefined) onClosed(refusalRecord({ ...subject, reason, message, durationMs: now() - openedMs }));
    };

    if (request.exporter !== self.name)
      return refuse(REASONS.PeerNameMismatch, `The request is for ${request.exporter}.`);
    if (via.includes(self.name) || via.length > VIA_MAX) return refuse(REASONS.Loop, `It came by ${via.join(', ')}.`);
    if (probe === 'decide') {
      const decision = decide(access);
      return decision.ok ? acceptProbe(stream, connection) : refuse(decision.reason, decision.message);
    }
    const opened = await open(access);
    if (!opened.ok) return refuse(opened.reason, opened.message);
    if (stream.destroyed) return void opened.socket.destroy();
    if (probe === 'dial') {
      opened.socket.destroy();
      return acceptProbe(stream, connection);
    }
    // The policy may have changed while the endpoint was dialled.
    const revoked = recheck(routes(), access);
    if (revoked !== undefined) {
      opened.socket.destroy();
      return refuse(revoked.reason, revoked.message);
    }
    stream.write(encodeAnswer({ ok: true, connection }));
    onOpened();
    const record = await runTunnel({
      subject,
      message: opened.message,
      openedMs,
      table,
      now,
      downstream: stream,
      upstream: opened.socket,
      recheck: (next) => recheck(next, access),
      onAbort: ({ reason }) => session.tellClosed(stream, toWire(reason).reason),
    });
    onClosed(record);
  }

  return { serveConnect, open, decide, recheck };
}

function acceptProbe(stream: YamuxStream, connection: string): void {
  stream.end(encodeAnswer({ ok: true, connection }));
  stream.resume();
}

function findPort(routes: Routes, { export: key, port }: ExportAccess): CataloguePort | undefined {
  return routes.exports
    .get(formatKey(key))
    ?.ports.find((candidate) => candidate.protocol === 'TCP' && candidate.port === port);
}

/** Attributes come as the policy vocabulary's keys would be guessed by a peer: only these are read. */
function toAsserted(source: Readonly<Record<string, string>> | null): AssertedClient {
  if (source === null) return null;
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

/** Coarse on the wire: fine reasons stay with their owner (DESIGN §6). */
function toWire(reason: Reason): { readonly status: 400 | 403 | 404 | 503 | 508; readonly reason: WireReason } {
  switch (reason) {
    case REASONS.NothingOffered:
    case REASONS.ExportDeleted:
      return { status: 404, reason: 'denied' };
    case REASONS.IngressDenied:
    case REASONS.PolicyChanged:
    case REASONS.PeerUnknown:
      return { status: 403, reason: 'denied' };
    case REASONS.Loop:
      return { status: 508, reason: 'loop' };
    case REASONS.Drained:
      return { status: 503, reason: 'drained' };
    case REASONS.Overloaded:
      return { status: 503, reason: 'overloaded' };
    case REASONS.Malformed:
    case REASONS.PeerNameMismatch:
      return { status: 400, reason: 'malformed' };
    default:
      return { status: 503, reason: 'unavailable' };
  }
}
