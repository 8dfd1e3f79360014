/**
 * Reads of a socket into memory of ours, also where Node has no option for it. The only file that touches Node's inside.
 *
 * Node's `onread` is an option of `net.connect` alone: neither accepted sockets nor TLS over a given socket have it. What it sets
 * are three properties of the socket, and the buffer that its handle reads into. A Node in which that is otherwise would write
 * where it should not, so it is done only in versions that were tested, after a test at start, and else not at all.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { SELF_TEST_TIMEOUT_MS } from './limits.ts';

/** The fast path was read, and its tests have passed, in these. */
const NODE_VERSIONS_TESTED = ['26.10'];

export interface UserBuffer {
  /** Where the next read goes. Never changes but here: Node keeps the pointer that it was given last. Must not throw. */
  next(): Uint8Array;
  /** So many bytes are where `next` has said. Must not throw. */
  onRead(bytes: number): void;
}

interface Handle {
  useUserBuffer(buffer: Uint8Array): void;
}

let proved = false;

/** Whether reads go into memory of ours: false until {@link proveUserBuffers} has passed. */
export function hasUserBuffers(): boolean {
  return proved;
}

/** From now on as Node does it by itself; what reads otherwise already stays as it is. */
export function forgetUserBuffers(): void {
  proved = false;
}

/**
 * From now on all that the socket reads goes there, and not through its stream; `pause`, `resume`, `end` and errors are as ever.
 * Once for a socket. What its stream holds already is the caller's to read, before.
 *
 * @returns false where that cannot be, and nothing has changed.
 */
export function readInto(socket: Socket, userBuffer: UserBuffer): boolean {
  return proved && attach(socket, userBuffer);
}

function attach(socket: Socket, { next, onRead }: UserBuffer): boolean {
  const [buffer, callback, generator] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) => symbolOf(socket, name));
  const handle = handleOf(socket);
  if (buffer === undefined || callback === undefined || generator === undefined || handle === undefined) return false;
  const inside = socket as unknown as Record<symbol, unknown>;
  // Somebody reads it like this already.
  if (inside[buffer]) return false;
  const first = next();
  inside[buffer] = first;
  inside[callback] = onRead;
  inside[generator] = next;
  handle.useUserBuffer(first);
  return true;
}

function symbolOf(socket: Socket, name: string): symbol | undefined {
  return Object.getOwnPropertySymbols(socket).find(({ description }) => description === name);
}

function handleOf(socket: Socket): Handle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  return typeof Reflect.get(handle, 'useUserBuffer') === 'function' ? (handle as Handle) : undefined;
}

/** To be called once at start, before traffic. @returns whether the fast path is on now; never rejects. */
export async function proveUserBuffers(version = process.versions.node): Promise<boolean> {
  if (proved) return true;
  const isTested = NODE_VERSIONS_TESTED.some((tested) => version.startsWith(`${tested}.`));
  proved = isTested && (await passesSelfTest().catch(() => false));
  return proved;
}

/** Two buffers in turn, bytes that differ, a pause between, an end: all of what the fast path relies on. */
async function passesSelfTest(): Promise<boolean> {
  const signal = AbortSignal.timeout(SELF_TEST_TIMEOUT_MS);
  const server = createServer({ pauseOnConnect: true });
  server.listen({ host: '127.0.0.1', port: 0 });
  const sockets: Socket[] = [];
  try {
    await once(server, 'listening', { signal });
    const [client, accepted] = await connectTo(server, signal);
    sockets.push(client, accepted);
    const sent = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    const received = await exchange({ client, accepted, sent, signal });
    return received !== undefined && received.equals(sent);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

async function connectTo(server: Server, signal: AbortSignal): Promise<[Socket, Socket]> {
  const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  client.on('error', () => undefined);
  const [accepted] = (await once(server, 'connection', { signal })) as [Socket];
  accepted.on('error', () => undefined);
  return [client, accepted];
}

interface Exchange {
  readonly client: Socket;
  readonly accepted: Socket;
  readonly sent: Buffer;
  readonly signal: AbortSignal;
}

async function exchange({ client, accepted, sent, signal }: Exchange): Promise<Buffer | undefined> {
  const buffers = [Buffer.alloc(64), Buffer.alloc(64)];
  const pieces: Buffer[] = [];
  let turn = 0;
  const isAttached = attach(accepted, {
    next: () => buffers[turn % 2] as Buffer,
    onRead(bytes) {
      pieces.push(Buffer.from((buffers[turn % 2] as Buffer).subarray(0, bytes)));
      turn++;
      accepted.pause();
      setImmediate(() => accepted.resume());
    },
  });
  if (!isAttached) return undefined;
  const ended = once(accepted, 'end', { signal });
  // What came past the buffers would be missing here, and show.
  accepted.on('data', () => undefined);
  accepted.resume();
  client.end(sent);
  await ended;
  return Buffer.concat(pieces);
}
