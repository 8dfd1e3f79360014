/** The services that the matrix exports, each a few lines of protocol on one port of this process. */
import { createHash } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { listenOn } from './sockets.ts';

/** 32 MiB: 512 of the data planes' 64 KiB buffers, and some hundred TLS records of each. */
export const LARGE_BYTES = 32 * 1024 * 1024;
export const GREETING = Buffer.from(`${'220 at your service '.repeat(200)}\n`);
export const LATE_ANSWER = Buffer.alloc(200_000, 'late answer ');
/** Long enough that a half-close has come through when the answer is written. */
const LATE_MS = 300;
/** A line that says what is wanted is shorter. */
const LINE_BYTES_MAX = 64;
const PIECE_BYTES = 65_536;

export type ServiceName = 'echo' | 'greet' | 'late' | 'large';

export interface Services extends AsyncDisposable {
  readonly ports: Readonly<Record<ServiceName, number>>;
  /** Connections that have come to `echo`. */
  echoes(): number;
  /** What each client of `late` had sent when it was answered. */
  asked(): readonly string[];
}

export async function startServices(host: string): Promise<Services> {
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const asked: string[] = [];
  let echoes = 0;

  async function listen(serve: (socket: Socket) => unknown): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
      serve(socket);
    });
    servers.push(server);
    return await listenOn(server, host);
  }

  const ports = {
    echo: await listen((socket) => {
      echoes++;
      socket.pipe(socket);
    }),
    greet: await listen((socket) => {
      socket.write(GREETING);
      socket.pipe(socket);
    }),
    late: await listen((socket) => answerLate(socket, asked)),
    large: await listen(serveLarge),
  };
  return {
    ports,
    echoes: () => echoes,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** Takes what comes for a while, then answers, whether or not the client has ended its direction. */
async function answerLate(socket: Socket, asked: string[]): Promise<void> {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  await sleep(LATE_MS);
  asked.push(Buffer.concat(pieces).toString());
  if (socket.writable) socket.end(LATE_ANSWER);
}

/**
 * `DOWN\n`: LARGE_BYTES. `UP\n` and as many bytes: the SHA-256 of them in hex. The client ends the connection: an Envoy that
 * imports cuts what its client has not taken yet when the service does, which is not what is tried here.
 */
function serveLarge(socket: Socket): void {
  let line = '';
  const onLine = (piece: Buffer): void => {
    line += piece.toString('latin1');
    const end = line.indexOf('\n');
    if (end < 0 && line.length <= LINE_BYTES_MAX) return;
    socket.off('data', onLine);
    if (line.slice(0, end) === 'DOWN') void sendLarge(socket);
    else if (line.slice(0, end) === 'UP') takeLarge(socket, Buffer.from(line.slice(end + 1), 'latin1'));
    else socket.destroy();
  };
  socket.on('data', onLine);
}

function takeLarge(socket: Socket, first: Buffer): void {
  const hash = createHash('sha256');
  let left = LARGE_BYTES;
  const take = (piece: Buffer): void => {
    hash.update(piece);
    left -= piece.length;
    if (left <= 0) socket.write(hash.digest('hex'));
  };
  take(first);
  socket.on('data', take);
}

/** The same bytes at every call, none of which repeats the 64 KiB before it. */
export async function sendLarge(socket: Socket): Promise<void> {
  for (const piece of largePieces()) {
    if (socket.destroyed) return;
    if (!socket.write(piece)) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          socket.off('drain', go).off('close', go);
          resolve();
        };
        socket.on('drain', go).on('close', go);
      });
    }
  }
}

export function largeDigest(): string {
  const hash = createHash('sha256');
  for (const piece of largePieces()) hash.update(piece);
  return hash.digest('hex');
}

function* largePieces(): Generator<Buffer> {
  for (let sent = 0; sent < LARGE_BYTES; sent += PIECE_BYTES) {
    const piece = Buffer.alloc(PIECE_BYTES, createHash('sha256').update(String(sent)).digest());
    yield piece;
  }
}
