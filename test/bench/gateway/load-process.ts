/**
 * A process of its own that opens connections and times them, or echoes: its costs are not the gateways', and nobody's event loop
 * makes its clock late but its own. One order at a time.
 *
 * An exchange is a new connection, 64 bytes there, the same 64 back, and a clean end. Its time runs from the call of connect to the
 * last byte of the answer: what a user waits for.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Place } from './system.ts';

export const MESSAGE_BYTES = 64;
/** While idle tunnels are opened: as many handshakes at once as no gateway here refuses. */
const OPENING_AT_ONCE = 16;
/** For one exchange; it fails then. */
const EXCHANGE_TIMEOUT_MS = 10_000;
const BACKLOG = 4_096;

export type LoadOrder =
  | { readonly kind: 'echo'; readonly host: string }
  | { readonly kind: 'tunnels'; readonly to: Place; readonly inFlight: number; readonly durationMs: number }
  | { readonly kind: 'paced'; readonly to: Place; readonly everyMs: number; readonly durationMs: number }
  | { readonly kind: 'hold'; readonly to: Place; readonly count: number }
  | { readonly kind: 'release' };

export type LoadReport =
  | { readonly kind: 'serving'; readonly port: number }
  /** `tookMs`: from the first connection to the end of the last one. */
  | { readonly kind: 'timed'; readonly latenciesMs: readonly number[]; readonly tookMs: number }
  | { readonly kind: 'holding' }
  | { readonly kind: 'released' }
  | { readonly kind: 'failed'; readonly message: string };

const MESSAGE = Buffer.alloc(MESSAGE_BYTES, 'clusterlink-mcs ');
const held = new Set<Socket>();

interface Exchange {
  readonly to: Place;
  readonly onAnswer: (latencyMs: number, socket: Socket) => void;
  readonly onClosed: () => void;
  readonly onFailed: (message: string) => void;
}

function exchange({ to, onAnswer, onClosed, onFailed }: Exchange): void {
  const begunMs = performance.now();
  let received = 0;
  const socket = connect({ ...to, noDelay: true });
  const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), EXCHANGE_TIMEOUT_MS);
  socket.write(MESSAGE);
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received !== MESSAGE_BYTES) return;
    clearTimeout(timer);
    onAnswer(performance.now() - begunMs, socket);
  });
  socket.on('error', (error) => onFailed(`${to.host}:${to.port}: ${error.message}`));
  socket.on('close', () => {
    clearTimeout(timer);
    if (received === MESSAGE_BYTES) onClosed();
    else onFailed(`${to.host}:${to.port}: closed after ${received} bytes`);
  });
}

/** New ones until the time is over, each when one before it has closed. */
function keepInFlight({ to, inFlight, durationMs }: Extract<LoadOrder, { kind: 'tunnels' }>): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    const latenciesMs: number[] = [];
    const begunMs = performance.now();
    let open = 0;
    const next = (): void => {
      open++;
      exchange({
        to,
        onAnswer(latencyMs, socket) {
          latenciesMs.push(latencyMs);
          socket.end();
        },
        onClosed() {
          open--;
          const tookMs = performance.now() - begunMs;
          if (tookMs < durationMs) next();
          else if (open === 0) resolve({ kind: 'timed', latenciesMs, tookMs });
        },
        onFailed: (message) => reject(new Error(message)),
      });
    };
    for (let index = 0; index < inFlight; index++) next();
  });
}

/** One at every beat, answered or not: a queue shows as time, not as fewer questions. */
function pace({ to, everyMs, durationMs }: Extract<LoadOrder, { kind: 'paced' }>): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    const latenciesMs: number[] = [];
    const begunMs = performance.now();
    let open = 0;
    let isOver = false;
    const finish = (): void => {
      if (isOver && open === 0) resolve({ kind: 'timed', latenciesMs, tookMs: performance.now() - begunMs });
    };
    const timer = setInterval(() => {
      if (performance.now() - begunMs >= durationMs) {
        clearInterval(timer);
        isOver = true;
        return finish();
      }
      open++;
      exchange({
        to,
        onAnswer(latencyMs, socket) {
          latenciesMs.push(latencyMs);
          socket.end();
        },
        onClosed() {
          open--;
          finish();
        },
        onFailed(message) {
          clearInterval(timer);
          reject(new Error(message));
        },
      });
    }, everyMs);
  });
}

/** Opens them, with one exchange on each, and keeps them: idle tunnels. */
function hold({ to, count }: Extract<LoadOrder, { kind: 'hold' }>): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    let begun = 0;
    const next = (): void => {
      if (begun === count) {
        if (held.size === count) resolve({ kind: 'holding' });
        return;
      }
      begun++;
      exchange({
        to,
        onAnswer(_, socket) {
          held.add(socket);
          next();
        },
        onClosed: () => reject(new Error('an idle connection was closed')),
        onFailed: (message) => reject(new Error(message)),
      });
    };
    for (let index = 0; index < Math.min(OPENING_AT_ONCE, count); index++) next();
  });
}

async function release(): Promise<LoadReport> {
  const closed = [...held].map((socket) => {
    socket.removeAllListeners('close');
    return new Promise<void>((resolve) => void socket.once('close', () => resolve()).end());
  });
  held.clear();
  await Promise.all(closed);
  return { kind: 'released' };
}

function serveEcho({ host }: Extract<LoadOrder, { kind: 'echo' }>): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('data', (chunk) => socket.write(chunk));
      // Whoever resets has seen enough.
      socket.on('error', () => undefined);
    });
    server.on('error', reject);
    server.listen({ port: 0, host, backlog: BACKLOG }, () => {
      resolve({ kind: 'serving', port: (server.address() as AddressInfo).port });
    });
  });
}

function carryOut(order: LoadOrder): Promise<LoadReport> {
  switch (order.kind) {
    case 'echo':
      return serveEcho(order);
    case 'tunnels':
      return keepInFlight(order);
    case 'paced':
      return pace(order);
    case 'hold':
      return hold(order);
    case 'release':
      return release();
  }
}

process.on('message', (order: LoadOrder) => {
  carryOut(order)
    .catch((error: unknown): LoadReport => ({ kind: 'failed', message: (error as Error).message }))
    .then(
      (report) => process.send?.(report),
      () => process.exit(1),
    );
});
process.on('disconnect', () => process.exit(0));
