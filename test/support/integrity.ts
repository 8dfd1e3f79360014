/**
 * Connections through two gateways whose session is killed again and again. What is sent proves itself, so that either end can tell a
 * connection that is whole from one that was cut and claims to be whole: that alone is wrong here.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeTestFabric } from './fabric.ts';
import { allowAll, startTestPlane, type TestPlane } from './planes.ts';
import { startProxy } from './proxy.ts';
import { waitFor } from './wait.ts';

export interface IntegrityOptions {
  readonly fastPath: 'on' | 'off';
  readonly durationMs: number;
  /** It goes on until so much has happened, and no longer than this; unless told otherwise `durationMs` is enough. */
  readonly durationMaxMs?: number;
  readonly isEnough?: (report: IntegrityReport) => boolean;
  /** Connections at once; each is followed by the next. */
  readonly clients: number;
  /** The session dies at a random moment of each such span. */
  readonly killEveryMs: number;
  /** Where west listens for clients. */
  readonly vip: string;
}

export interface IntegrityReport {
  /** Ended well, and all bytes were there, at the client and at the service. */
  done: number;
  /** Reset, which the client saw as ECONNRESET. */
  cut: number;
  refused: number;
  kills: number;
  bytes: number;
  /** Each breaks the promise: a clean end with bytes missing or wrong, or an end that is none. */
  readonly lies: string[];
}

/** Who sends first; the other one follows after its end. */
const SHAPES = ['client', 'service', 'both'] as const;
const HEAD_BYTES = 5;
const SEAL_BYTES = 32;
const PAYLOAD_BYTES_MAX = 2 * 1024 * 1024;
const PORT = 5432;
/** After a cut: a new session takes a moment. */
const PAUSE_MS = 20;
/** What is still open at the end has so long. */
const LAST_MS = 10_000;

export async function runIntegrity(options: IntegrityOptions): Promise<IntegrityReport> {
  const { fastPath, durationMs, clients, killEveryMs, vip } = options;
  const { durationMaxMs = durationMs, isEnough = () => true } = options;
  const report: IntegrityReport = { done: 0, cut: 0, refused: 0, kills: 0, bytes: 0, lies: [] };
  await using undo = new AsyncDisposableStack();
  const fabric = await makeTestFabric();
  undo.defer(() => fabric.remove());
  const service = await startService(report);
  undo.defer(() => service.close());
  const east = await startTestPlane({ fabric, name: 'east', fastPath });
  undo.defer(() => east.close());
  const west = await startTestPlane({ fabric, name: 'west', listen: 'no', fastPath });
  undo.defer(() => west.close());
  const proxy = await startProxy(east.port);
  undo.defer(() => proxy.close());
  const port = await link({ east, west, gatewayPort: proxy.port, servicePort: service.port, vip });

  const startMs = performance.now();
  function isOver(): boolean {
    const passedMs = performance.now() - startMs;
    return passedMs >= durationMaxMs || (passedMs >= durationMs && isEnough(report));
  }
  async function killNowAndThen(): Promise<void> {
    while (!isOver()) {
      const atMs = randomInt(killEveryMs);
      await sleep(atMs);
      proxy.cut();
      report.kills++;
      await sleep(killEveryMs - atMs);
    }
  }
  async function runClients(): Promise<void> {
    while (!isOver()) if (!(await runClient({ host: vip, port, report }))) await sleep(PAUSE_MS);
  }
  const all = Promise.all([killNowAndThen(), ...Array.from({ length: clients }, runClients)]);
  const isLate = await Promise.race([all.then(() => false), sleep(durationMaxMs + LAST_MS, true, { ref: false })]);
  if (isLate) report.lies.push('a connection has neither ended nor been reset');
  return report;
}

interface Linked {
  readonly east: TestPlane;
  readonly west: TestPlane;
  readonly gatewayPort: number;
  readonly servicePort: number;
  readonly vip: string;
}

/** East exports to west, both say yes. @returns where clients connect to. */
async function link({ east, west, gatewayPort, servicePort, vip }: Linked): Promise<number> {
  const endpoints = [{ host: '127.0.0.1', port: servicePort }];
  const ports = [{ name: '', protocol: 'TCP' as const, port: PORT }];
  east.apply({
    peers: [{ name: 'west', labels: {}, gateways: [], mayAssert: [] }],
    exports: [
      { namespace: 'shop', name: 'db', uid: 'u', labels: {}, ports: ports.map((each) => ({ ...each, endpoints })) },
    ],
    policies: allowAll('shop'),
  });
  west.apply({
    peers: [{ name: 'east', labels: {}, gateways: [{ host: '127.0.0.1', port: gatewayPort }], mayAssert: [] }],
    imports: [
      {
        key: { namespace: 'store', name: 'db' },
        ips: [vip],
        ports: ports.map((each) => ({ ...each, lastListenPort: 26_001 })),
        sources: [{ peer: 'east', namespace: 'shop', name: 'db', ports: [PORT], readyEndpoints: 1 }],
        labels: {},
        localFirst: true,
      },
    ],
    policies: allowAll('store'),
  });
  await waitFor('the import can be used', () => west.imports.get('store/db')?.sources.some(({ usable }) => usable));
  const listening = await waitFor('the import listens', () =>
    west.imports.get('store/db')?.listeners.find(({ state }) => state === 'Listening'),
  );
  return listening.listenPort ?? 0;
}

async function startService(report: IntegrityReport): Promise<{ readonly port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Cut: the client says how.
    socket.on('error', () => undefined);
    serve(socket, report);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function serve(socket: Socket, report: IntegrityReport): void {
  const pieces: Buffer[] = [];
  let head: Buffer | undefined;
  socket.on('data', (piece: Buffer) => {
    pieces.push(piece);
    if (head !== undefined) return;
    const start = Buffer.concat(pieces);
    if (start.length < HEAD_BYTES) return;
    head = start.subarray(0, HEAD_BYTES);
    pieces.splice(0, pieces.length, start.subarray(HEAD_BYTES));
    if (SHAPES[head[0] ?? 0] !== 'client') socket.end(seal(head.readUInt32BE(1)));
  });
  socket.once('end', () => {
    const received = Buffer.concat(pieces);
    if (head === undefined || !isSealed(received)) {
      report.lies.push(`service: a clean end after ${received.length} bytes that are not all`);
    } else if (SHAPES[head[0] ?? 0] === 'client') socket.end(seal(head.readUInt32BE(1)));
  });
}

interface Client {
  readonly host: string;
  readonly port: number;
  readonly report: IntegrityReport;
}

/** @returns whether it was served to its end. */
async function runClient({ host, port, report }: Client): Promise<boolean> {
  const shape = randomInt(SHAPES.length);
  const head = Buffer.alloc(HEAD_BYTES, shape);
  head.writeUInt32BE(randomSize(), 1);
  const socket = connect({ host, port, allowHalfOpen: true });
  const pieces: Buffer[] = [];
  let hasEnded = false;
  let failure: NodeJS.ErrnoException | undefined;
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.on('error', (error) => (failure = error));
  socket.write(head);
  const send = (): void => void socket.end(seal(randomSize()));
  if (SHAPES[shape] !== 'service') send();
  socket.once('end', () => {
    hasEnded = true;
    if (SHAPES[shape] === 'service') send();
  });
  await new Promise((resolve) => socket.once('close', resolve));

  const received = Buffer.concat(pieces);
  report.bytes += received.length;
  if (hasEnded && !isSealed(received)) {
    report.lies.push(`client, ${SHAPES[shape]} first: a clean end after ${received.length} bytes that are not all`);
  }
  if (failure === undefined) {
    if (hasEnded) report.done++;
    else report.lies.push('client: closed without an end and without an error');
    return hasEnded;
  }
  // Linux calls a reset EPIPE where the other half had ended well.
  if (failure.code === 'ECONNRESET' || (hasEnded && failure.code === 'EPIPE')) report.cut++;
  else if (failure.code === 'ECONNREFUSED') report.refused++;
  else report.lies.push(`client: ended by ${failure.code}`);
  return false;
}

/** Most are small. */
function randomSize(): number {
  return Math.floor(Math.random() ** 4 * PAYLOAD_BYTES_MAX);
}

/** Bytes of chance, and their hash. */
function seal(size: number): Buffer {
  const payload = randomBytes(size);
  return Buffer.concat([payload, hashOf(payload)]);
}

function isSealed(bytes: Buffer): boolean {
  const end = bytes.length - SEAL_BYTES;
  return end >= 0 && hashOf(bytes.subarray(0, end)).equals(bytes.subarray(end));
}

function hashOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
