/** Two sessions over one real TCP connection, and what tests do with bytes. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { makeSlabPool } from '#src/gateway/slabs/pool.ts';
import { forgetUserBuffers, proveUserBuffers } from '#src/gateway/slabs/user-buffer.ts';
import { makeSendMemory } from '#src/gateway/yamux/send-memory.ts';
import { openYamux, type YamuxOptions, type YamuxSession } from '#src/gateway/yamux/session.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';

/** Both ways of reading sockets: what holds of the one has to hold of the other. */
export const READINGS = ['as Node reads', 'into slabs'] as const;

/** For all tests of the block that calls it. */
export function useReading(reading: (typeof READINGS)[number]): void {
  before(async () => {
    if (reading === 'into slabs') assert.equal(await proveUserBuffers(), 'on');
    else forgetUserBuffers();
  });
  after(() => forgetUserBuffers());
}

const spoil = (memory: Buffer): void => void memory.fill(0xdb);
/** Memory of the fast path that is spoiled when it comes back: who still reads it then gets other bytes than were sent. */
export const spoiledSlabs = makeSlabPool({ onReturn: spoil });
const spoiledSends = makeSendMemory({ onReturn: spoil });

export interface SessionPair extends AsyncDisposable {
  readonly dialler: YamuxSession;
  readonly acceptor: YamuxSession;
  readonly sockets: readonly [Socket, Socket];
  /** Why each ended. */
  readonly diallerClosed: Promise<Error | undefined>;
  readonly acceptorClosed: Promise<Error | undefined>;
}

export type PairOptions = Partial<Pick<YamuxOptions, 'streamsMax' | 'timings'>> & {
  readonly onStream?: (stream: YamuxStream) => void;
};

export async function listen(onSocket: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onSocket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

export async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** Both ends of a TCP connection, the dialled one first. */
export async function openSocketPair(): Promise<[Socket, Socket]> {
  const accepted = Promise.withResolvers<Socket>();
  const { server, port } = await listen(accepted.resolve);
  const sockets: [Socket, Socket] = [await dial(port), await accepted.promise];
  server.close();
  return sockets;
}

/** `onStream` takes the streams that the dialler opens. */
export async function openSessionPair({ onStream = () => {}, ...options }: PairOptions = {}): Promise<SessionPair> {
  const sockets = await openSocketPair();
  const ended = [Promise.withResolvers<Error | undefined>(), Promise.withResolvers<Error | undefined>()] as const;
  const shared = { streamsMax: 1000, pool: spoiledSlabs, sendMemory: spoiledSends, ...options };
  const dialler = openYamux({
    ...shared,
    socket: sockets[0],
    role: 'dialler',
    onStream() {},
    onClose: ended[0].resolve,
  });
  const acceptor = openYamux({ ...shared, socket: sockets[1], role: 'acceptor', onStream, onClose: ended[1].resolve });
  return {
    dialler,
    acceptor,
    sockets,
    diallerClosed: ended[0].promise,
    acceptorClosed: ended[1].promise,
    async [Symbol.asyncDispose]() {
      dialler.destroy();
      acceptor.destroy();
      for (const socket of sockets) if (!socket.closed) await once(socket, 'close');
      // Whatever has become of who read and wrote there: all slabs are back.
      await until(() => spoiledSlabs.taken === 0);
    },
  };
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Hashes all that a stream gives until its end. @throws what the stream failed with, or an error when it closed early. */
export function hashAll(stream: Readable): Promise<string> {
  const hash = createHash('sha256');
  return new Promise((resolve, reject) => {
    stream.on('data', (piece: Buffer) => hash.update(piece));
    stream.on('end', () => resolve(hash.digest('hex')));
    stream.on('error', reject);
    stream.on('close', () => reject(new Error('closed before its end')));
  });
}

/** Resolves when the condition holds, asked again every few milliseconds; mocha's timeout is the deadline. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
