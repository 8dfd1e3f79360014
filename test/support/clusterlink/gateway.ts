/** The exporter's data plane: one TLS port, requests read from raw bytes, tunnels to exported services (§3.1-3.8). */
import type { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { encodeAnswer, encodeEarlyRefusal, encodeTunnelOpen, type Answer } from './answers.ts';
import type { ControlPlane, Verdict } from './control.ts';
import { keptBeside, type Flavour, type Situation, type Timeouts } from './flavour.ts';
import { bodyLength, EMPTY, parseHead, parseRequestLine, type Head, type RequestLine } from './head.ts';
import { clip, factsOf, firstDnsName, type Journal, type RequestRecord } from './journal.ts';
import { BODY_BYTES_MAX, CONNECTIONS_MAX } from './limits.ts';
import { readBody, readChunks, readHead, readRecord, within, type HeadRead } from './records.ts';
import { listenAt, type Sockets } from './sockets.ts';
import { joinTunnel } from './tunnel.ts';

export interface GatewayOptions {
  readonly flavour: Flavour;
  readonly timeouts: Timeouts;
  readonly identity: PeerIdentity;
  readonly control: ControlPlane;
  readonly sockets: Sockets;
  readonly requests: Journal<RequestRecord>;
  readonly counters: Counters;
  readonly closing: AbortSignal;
  /** Which of the peer's gateways this is, from 0. */
  readonly index: number;
  readonly port: number;
  /** Envoy: of so many tunnels the last has its 200 and the first bytes of the service in one record. */
  readonly coalesceEvery: number;
}

export interface Counters {
  connections: number;
  tunnels: number;
  /** Of both roles. */
  open: number;
}

export interface Gateway {
  readonly port: number;
  swapCertificate(identity: PeerIdentity): void;
  /** Stops listening; open connections stay. */
  close(): void;
}

/** How long a service may take to speak first, for its bytes to go beside the 200. */
const COALESCE_WAIT_MS = 50;

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { identity, timeouts, sockets, port } = options;
  const server = createServer({
    ...contextOf(identity),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: timeouts.handshakeMs,
    allowHalfOpen: true,
    noDelay: true,
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.on('connection', sockets.track);
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('secureConnection', (socket) => void serve(sockets.track(socket), options));
  const bound = await listenAt(server, port);
  return {
    port: bound,
    swapCertificate: (next) => server.setSecureContext(contextOf(next)),
    close: () => void server.close(),
  };
}

/** 1.2 and 1.3; no ALPN: what is offered is not answered (§3.1). */
function contextOf({ certPem, keyPem, caPem }: PeerIdentity) {
  return { cert: certPem, key: keyPem, ca: caPem, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' } as const;
}

interface Connection extends GatewayOptions {
  readonly socket: TLSSocket;
  readonly caller: string | undefined;
  readonly number: number;
}

interface Request {
  readonly head: Head;
  readonly line: RequestLine;
  readonly record: RequestRecord;
  readonly beside: Buffer;
}

/** What is left for the next request, or that there is none. */
type Rest = Buffer | 'closed' | 'tunnel';

async function serve(socket: TLSSocket, options: GatewayOptions): Promise<void> {
  const connection = { ...options, socket, caller: firstDnsName(socket), number: ++options.counters.connections };
  let rest: Rest = EMPTY;
  try {
    for (let first = true; typeof rest !== 'string'; first = false) {
      rest = await serveOne(connection, await nextHead(connection, rest, first));
    }
  } catch {
    // The peer closes: nothing waits any more.
    rest = 'closed';
  }
  if (rest === 'closed') socket.destroySoon();
}

/** The first head has its time from the handshake on; a later one from its first byte, after a longer silence (§3.6, 6). */
async function nextHead(
  { socket, flavour, timeouts, closing }: Connection,
  rest: Buffer,
  first: boolean,
): Promise<HeadRead> {
  let begun = rest;
  if (!first && begun.length === 0) {
    const read = await readRecord(socket, within(timeouts.keepAliveMs, closing));
    if (typeof read === 'string') return read;
    begun = read.bytes;
  }
  return readHead(socket, { begun, bytesMax: flavour.headBytesMax, signal: within(timeouts.headMs, closing) });
}

async function serveOne(connection: Connection, read: HeadRead): Promise<Rest> {
  if (read === 'too-long') return refuse(connection, 431);
  if (typeof read === 'string') return 'closed';
  const head = parseHead(read.head);
  const line = head && parseRequestLine(head.line);
  if (head === undefined || line === undefined) return refuse(connection, 400);
  const hostMissing = !head.fields.has('host') && line.method !== 'CONNECT' && line.minor === 1;
  if (hostMissing) return refuse(connection, 400);
  if (line.minor === 0 && connection.flavour.name === 'envoy') return refuse(connection, 426);
  return line.method === 'CONNECT'
    ? serveConnect(connection, note(connection, { head, line, body: EMPTY, beside: read.beside }))
    : serveRequest(connection, { head, line, beside: read.beside });
}

function note(
  { requests, caller, number, index, socket }: Connection,
  { head, line, body, beside }: Omit<Request, 'record'> & { readonly body: Buffer },
): Request {
  const record = requests.add({
    method: line.method,
    target: line.target,
    raw: clip(Buffer.concat([head.raw, body])),
    body: clip(body),
    beside: clip(beside),
    caller,
    connection: number,
    gateway: index,
    tls: factsOf(socket),
    status: undefined,
  });
  return { head, line, record, beside };
}

async function serveRequest(connection: Connection, asked: Omit<Request, 'record'>): Promise<Rest> {
  const { flavour, timeouts, closing } = connection;
  const deadline = within(timeouts.writeMs, closing);
  const read = await readRequestBody(connection, asked, deadline);
  if (read === 'malformed') return refuse(connection, 400);
  if (read === 'too-long') {
    note(connection, { ...asked, body: EMPTY, beside: EMPTY }).record.status = 413;
    return refuse(connection, 413);
  }
  if (typeof read === 'string') return 'closed';
  const { head, line, record } = note(connection, { ...asked, body: read.body, beside: EMPTY });
  const verdict = await inTime(decide(connection, { head, line, body: read.body }), deadline);
  // Closed without an answer: §3.6, 7.
  if (verdict === undefined) return 'closed';
  const said = toAnswer(flavour, verdict);
  const wanted = line.minor === 0 || head.fields.get('connection')?.toLowerCase() === 'close';
  const close = wanted || (flavour.name === 'envoy' && said.status === 400);
  answer(connection, record, { ...said, ...(close ? { close: 'after' } : {}) });
  return close ? 'closed' : read.beside;
}

async function readRequestBody(
  { flavour, socket }: Connection,
  { head, beside }: Omit<Request, 'record'>,
  signal: AbortSignal,
): Promise<{ readonly body: Buffer; readonly beside: Buffer } | 'ended' | 'late' | 'malformed' | 'too-long'> {
  const bytesMax = Math.min(flavour.bodyBytesMax, BODY_BYTES_MAX);
  const coding = head.fields.get('transfer-encoding')?.toLowerCase();
  if (coding === 'chunked') {
    const read = await readChunks(socket, { begun: beside, bytesMax: 2 * bytesMax, signal });
    return typeof read !== 'string' && read.body.length > bytesMax ? 'too-long' : read;
  }
  const length = bodyLength(head) ?? 0;
  if (coding !== undefined || Number.isNaN(length)) return 'malformed';
  return length > bytesMax ? 'too-long' : readBody(socket, { begun: beside, length, signal });
}

/** The Go data plane takes the path alone; Envoy hands on all that stands there (§3.2). */
async function decide(
  { flavour, control, caller }: Connection,
  { head, line, body }: Pick<Request, 'head' | 'line'> & { readonly body: Buffer },
): Promise<Verdict> {
  if (flavour.name === 'go' && caller === undefined) return { situation: 'no-dns-name' };
  const target = flavour.name === 'go' ? (line.target.split('?')[0] ?? '') : line.target;
  return control.decide({ method: line.method, target, authorization: head.fields.get('authorization'), body });
}

async function serveConnect(connection: Connection, request: Request): Promise<Rest> {
  const { flavour, control, sockets, timeouts, closing } = connection;
  const { head, line, record } = request;
  if (flavour.name === 'envoy' && !/^[^:/]+:\d+$/.test(line.target))
    return refuseTunnel(connection, request, 'other-request');
  const verdict = await decide(connection, { head, line, body: EMPTY });
  if (verdict.situation !== 'ok') return refuseTunnel(connection, request, verdict.situation);
  const exported = control.exported(verdict.exportKey ?? '');
  if (exported === undefined) return refuseTunnel(connection, request, 'unknown-to-data-plane');
  const service = await sockets.dial(exported.target, within(timeouts.dialMs, closing));
  if (service === undefined) return refuseTunnel(connection, request, 'dial-failed');
  record.status = 200;
  await openTunnel(connection, { service, kept: keptBeside(flavour, head.raw, request.beside) });
  return 'tunnel';
}

async function openTunnel(
  { socket, flavour, timeouts, counters, closing, coalesceEvery }: Connection,
  { service, kept }: { readonly service: Socket; readonly kept: Buffer },
): Promise<void> {
  counters.tunnels++;
  const head = Buffer.from(encodeTunnelOpen(flavour));
  if (kept.length > 0) service.write(kept);
  if (flavour.name === 'go') {
    // Go looks ahead by one byte while it decides, and loses it with the rest of its buffer; that is a race (§3.6, 5),
    // of which this is always the bad end.
    if (kept.length === 0 && socket.readableLength > 0) socket.read(1);
    await flushed(socket, head);
  } else {
    const together = counters.tunnels % coalesceEvery === 0;
    const spoken = together ? await readRecord(service, within(COALESCE_WAIT_MS, closing)) : 'late';
    await flushed(socket, typeof spoken === 'string' ? head : Buffer.concat([head, spoken.bytes]));
  }
  counters.open++;
  joinTunnel(socket, service, { idleMs: timeouts.tunnelIdleMs, onEnd: () => counters.open-- });
}

/** Node joins writes that wait: what must have its record to itself is waited for (§3.6, 3). */
function flushed(socket: TLSSocket, bytes: Buffer): Promise<unknown> {
  return new Promise((resolve) => socket.write(bytes, resolve));
}

/** Behind a CONNECT the request never ends for Envoy, so that it closes; Go goes on with the next one. */
function refuseTunnel(connection: Connection, { record, beside }: Request, situation: Situation): Rest {
  const close = connection.flavour.name === 'envoy';
  answer(connection, record, { ...toAnswer(connection.flavour, { situation }), ...(close ? { close: 'after' } : {}) });
  return close ? 'closed' : beside;
}

function toAnswer({ statuses }: Flavour, { situation, field }: Verdict): Answer {
  if (situation === 'ok') return { status: statuses.ok, ...(field === undefined ? {} : { field }) };
  return { status: statuses[situation], text: `${situation}\n` };
}

function answer({ socket, flavour }: Connection, record: RequestRecord, said: Answer): void {
  record.status = said.status;
  socket.write(encodeAnswer(flavour, said));
}

function refuse({ socket, flavour }: Connection, status: number): 'closed' {
  socket.write(encodeEarlyRefusal(flavour, status));
  return 'closed';
}

/** The value, or undefined if the signal comes first. */
function inTime<T>(value: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const late = (): void => resolve(undefined);
    signal.addEventListener('abort', late);
    value.finally(() => signal.removeEventListener('abort', late)).then(resolve, reject);
  });
}
