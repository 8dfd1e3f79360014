/**
 * A process of its own: a service that echoes, and a client that says 64 bytes every 10 ms over one connection and times each
 * answer. It shares no event loop with those who make trouble meanwhile.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export const MESSAGE_BYTES = 64;
const PACE_MS = 10;

export type PacedOrder =
  { readonly kind: 'connect'; readonly host: string; readonly port: number } | { readonly kind: 'take' };
export type PacedReport =
  | { readonly kind: 'serving'; readonly port: number }
  | {
      readonly kind: 'taken';
      /** One for each message since the last report; one that is not answered yet has its age. */
      readonly roundTripsMs: readonly number[];
      /** Why the connection ended, if it did: it never should. */
      readonly ended: string;
    };

function report(message: PacedReport): void {
  process.send?.(message);
}

// Without Nagle's delay an answer waits for nobody.
const server = createServer({ noDelay: true }, (socket) => socket.on('error', () => undefined).pipe(socket));
server.listen(0, '127.0.0.1', () => report({ kind: 'serving', port: (server.address() as AddressInfo).port }));

let roundTripsMs: number[] = [];
let ended = '';
const sentMs: number[] = [];

function startClient(host: string, port: number): void {
  let answeredBytes = 0;
  const socket: Socket = connect({ host, port, noDelay: true });
  socket.on('error', ({ message }) => (ended = message));
  socket.on('close', () => (ended ||= 'closed'));
  socket.on('data', (chunk: Buffer) => {
    for (answeredBytes += chunk.length; answeredBytes >= MESSAGE_BYTES; answeredBytes -= MESSAGE_BYTES) {
      roundTripsMs.push(performance.now() - (sentMs.shift() ?? NaN));
    }
  });
  socket.on('connect', () => {
    setInterval(() => {
      if (ended !== '') return;
      sentMs.push(performance.now());
      socket.write(Buffer.alloc(MESSAGE_BYTES));
    }, PACE_MS);
  });
}

process.on('message', (order: PacedOrder) => {
  if (order.kind === 'connect') return startClient(order.host, order.port);
  const nowMs = performance.now();
  const waitingMs = sentMs.map((ms) => nowMs - ms).filter((ageMs) => ageMs > PACE_MS);
  report({ kind: 'taken', roundTripsMs: [...roundTripsMs, ...waitingMs], ended });
  roundTripsMs = [];
});
process.on('disconnect', () => process.exit(0));
