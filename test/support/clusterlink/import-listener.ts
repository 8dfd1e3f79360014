/** The importer's data plane: a listener for each Import, and a tunnel for each of its clients (§3.6, §3.9). */
import { randomUUID } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { resetSocket } from '#src/runtime/reset-socket.ts';
import type { Dialler } from './dialler.ts';
import type { Admission, RemotePeer } from './egress.ts';
import { keptBeside, type Flavour, type Timeouts } from './flavour.ts';
import type { Counters } from './gateway.ts';
import { EMPTY, parseHead, parseStatusLine, writeHead } from './head.ts';
import { clip, type AttemptRecord, type Journal } from './journal.ts';
import { ANSWER_BYTES_MAX, INTERIM_MAX, WAITING_CLIENTS_MAX } from './limits.ts';
import { readHead, within } from './records.ts';
import { listenAt, type Sockets } from './sockets.ts';
import { joinTunnel } from './tunnel.ts';
import { keyOf, type Address, type ImportObject } from './types.ts';

export interface ImportOptions {
  /** As it is now: it may change while it listens. */
  readonly object: () => ImportObject;
  readonly flavour: Flavour;
  readonly timeouts: Timeouts;
  readonly dialler: Dialler;
  readonly sockets: Sockets;
  readonly attempts: Journal<AttemptRecord>;
  readonly counters: Counters;
  readonly closing: AbortSignal;
  authorize(object: ImportObject, clientAddress: string, signal: AbortSignal): Promise<Admission | undefined>;
}

export interface ImportListener {
  readonly port: number;
  /** Stops listening; tunnels live on. */
  close(): void;
}

/** @param port - where it listens; 0: any free port. */
export async function startImport(options: ImportOptions, port: number): Promise<ImportListener> {
  const { flavour, sockets } = options;
  let turn = Promise.resolve();
  let waiting = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    sockets.track(client);
    if (waiting >= WAITING_CLIENTS_MAX) return void resetSocket(client);
    waiting++;
    const before = flavour.accepts === 'one-by-one' ? turn : Promise.resolve();
    const decided = before.then(() => admit(options, client)).finally(() => waiting--);
    // The next client waits for the decision, not for the tunnel.
    turn = decided.then(
      () => undefined,
      () => undefined,
    );
    void decided.then((open) => open?.()).catch(() => client.destroy());
  });
  return { port: await listenAt(server, port), close: () => void server.close() };
}

/** @returns what opens the tunnel, or undefined: the client is gone. */
async function admit(options: ImportOptions, client: Socket): Promise<(() => Promise<void>) | undefined> {
  const { timeouts, attempts, closing, authorize } = options;
  const object = options.object();
  const record = attempts.add({
    import: keyOf(object),
    outcome: 'waiting',
    source: undefined,
    head: undefined,
    status: undefined,
    lostBytes: 0,
  });
  const admission = await authorize(object, client.remoteAddress ?? '', within(timeouts.egressMs, closing));
  if (admission === undefined) {
    record.outcome = 'egress-failed';
    client.destroy();
    return undefined;
  }
  record.source = admission.source;
  return () => openTunnel(options, { object, client, record, admission });
}

interface Opening {
  readonly object: ImportObject;
  readonly client: Socket;
  readonly record: AttemptRecord;
  readonly admission: Admission;
}

/** A new connection for each tunnel; no other gateway and no other source is tried after the token (§8.4, 44). */
async function openTunnel(options: ImportOptions, opening: Opening): Promise<void> {
  const { flavour, timeouts, dialler, closing, counters } = options;
  const { client, record, admission } = opening;
  const signal = within(timeouts.tunnelOpenMs, closing);
  const { name } = admission.peer.object;
  const gateway = chooseGateway(flavour, admission.peer);
  const dial = { peer: name, maxVersion: flavour.tunnelTlsMax, checksName: flavour.tunnelChecksName, signal } as const;
  const far = gateway && (await dialler.dial({ ...dial, gateway }));
  if (far === undefined) return giveUp(client, record, 'unreachable');
  far.write(encodeConnect(options, opening));
  const beside = await readTunnelHead(far, { flavour, record, signal });
  if (beside === undefined) {
    far.destroy();
    return giveUp(client, record, 'refused');
  }
  record.outcome = 'open';
  counters.open++;
  if (beside.length > 0) client.write(beside);
  joinTunnel(client, far, {
    idleMs: timeouts.tunnelIdleMs,
    onEnd() {
      counters.open--;
      record.outcome = 'ended';
    },
  });
}

function giveUp(client: Socket, record: AttemptRecord, outcome: AttemptRecord['outcome']): void {
  record.outcome = outcome;
  client.destroy();
}

/** Envoy goes round all of them, dead ones too (§3.7). */
function chooseGateway({ tunnelGateway }: Flavour, { object, turn }: RemotePeer): Address | undefined {
  return object.gateways[tunnelGateway === 'first' ? 0 : turn() % object.gateways.length];
}

/** The port is the constant 443, and Envoy tells more than it should (§3.6, §8.1, 10). */
function encodeConnect({ flavour }: ImportOptions, { object, client, admission }: Opening): string {
  const authority = `${admission.peer.object.name}:443`;
  const line = `CONNECT ${authority} HTTP/1.1`;
  const bearer = `Bearer ${admission.token}`;
  if (flavour.name === 'go') {
    return writeHead(line, [
      ['Host', authority],
      ['User-Agent', 'Go-http-client/1.1'],
      ['Authorization', bearer],
      ['Accept-Encoding', 'gzip'],
    ]);
  }
  return writeHead(line, [
    ['host', authority],
    ['x-import-name', object.name],
    ['x-import-namespace', object.namespace],
    ['x-client-ip', client.remoteAddress ?? ''],
    ['x-forwarded-proto', 'http'],
    ['x-request-id', randomUUID()],
    ['authorization', bearer],
    ['x-envoy-expected-rq-timeout-ms', '15000'],
    ['x-envoy-original-host', `remote-peer-${admission.peer.object.name}`],
  ]);
}

/** @returns the bytes behind the 200 that the client is to have, or undefined: no tunnel. */
async function readTunnelHead(
  far: TLSSocket,
  {
    flavour,
    record,
    signal,
  }: { readonly flavour: Flavour; readonly record: AttemptRecord; readonly signal: AbortSignal },
): Promise<Buffer | undefined> {
  let begun: Buffer = EMPTY;
  for (let interim = 0; interim <= INTERIM_MAX; interim++) {
    const read = await readHead(far, { begun, bytesMax: ANSWER_BYTES_MAX, signal });
    if (typeof read === 'string') return undefined;
    const head = parseHead(read.head);
    const status = head && parseStatusLine(head.line);
    record.head = clip(read.head);
    record.status = status;
    begun = read.beside;
    if (status !== undefined && status < 200) continue;
    // A whole answer to both: the connection goes back to the idle ones, and is killed (§3.6, 2).
    if (status !== 200 || head?.fields.get('content-length') === '0') return undefined;
    const kept = keptBeside(flavour, read.head, read.beside);
    record.lostBytes = read.beside.length - kept.length;
    return kept;
  }
  return undefined;
}
