/**
 * A path between two gateways as long and as wide as a test wants it: a relay in user space. What comes waits in a queue, leaves it
 * at the rate of the path, and arrives half a round trip later. A full queue is not read for: the sender's kernel holds the rest.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { resetSocket } from '#src/runtime/reset-socket.ts';

export interface PathOptions {
  readonly port: number;
  readonly roundTripMs: number;
  /** Each way, of all connections together. */
  readonly bitsPerSecond: number;
}

export interface Path {
  /** At 127.0.0.1: who dials it gets to the port at the other end. */
  readonly port: number;
  /** How long it carried nothing since this process, hence the path too, was held up by its machine. */
  readonly heldUpMs: number;
  close(): Promise<void>;
}

/** What a router at the narrow place holds: 10 ms, at least two reads. */
const QUEUE_MS = 10;
const QUEUE_BYTES_MIN = 128 * 1024;

/** How often it looks for what has arrived, and what is too late for a turn of an event loop that has nothing else to do. */
const TURN_MS = 1;
const HELD_UP_FROM_MS = 5;

export async function startPath({ port, roundTripMs, bitsPerSecond }: PathOptions): Promise<Path> {
  const sockets = new Set<Socket>();
  const shape = { delayMs: roundTripMs / 2, bytesPerMs: bitsPerSecond / 8 / 1000 };
  const ways = { there: makeWay(shape), back: makeWay(shape) };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    ways.there.carry(near, far);
    ways.back.carry(far, near);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => resetSocket(other));
      socket.on('close', () => sockets.delete(socket));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get heldUpMs() {
      return ways.there.heldUpMs;
    },
    async close() {
      ways.there.close();
      ways.back.close();
      sockets.forEach((socket) => socket.destroy());
      server.close();
      await once(server, 'close');
    },
  };
}

interface Parcel {
  readonly from: Socket;
  readonly to: Socket;
  /** Absent: the end. */
  readonly bytes?: Buffer;
  readonly leavesMs: number;
}

function makeWay({ delayMs, bytesPerMs }: { readonly delayMs: number; readonly bytesPerMs: number }): {
  carry(from: Socket, to: Socket): void;
  readonly heldUpMs: number;
  close(): void;
} {
  const parcels: Parcel[] = [];
  const queueBytesMax = Math.max(QUEUE_MS * bytesPerMs, QUEUE_BYTES_MIN);
  const stopped = new Set<Socket>();
  /** When all that waits will have left. */
  let freeMs = 0;
  let timer: NodeJS.Timeout | undefined;
  let dueMs = 0;
  let heldUpMs = 0;

  function deliverSoon(): void {
    dueMs = performance.now() + TURN_MS;
    timer = setTimeout(deliver, TURN_MS);
  }

  const queueBytes = (): number => Math.max(0, freeMs - performance.now()) * bytesPerMs;

  function put(parcel: Omit<Parcel, 'leavesMs'>): void {
    freeMs = Math.max(freeMs, performance.now()) + (parcel.bytes?.length ?? 0) / bytesPerMs;
    parcels.push({ ...parcel, leavesMs: freeMs });
    if (timer === undefined) deliverSoon();
  }

  function deliver(): void {
    timer = undefined;
    const nowMs = performance.now();
    if (nowMs - dueMs > HELD_UP_FROM_MS) heldUpMs += nowMs - dueMs;
    while (parcels[0] !== undefined && parcels[0].leavesMs + delayMs <= nowMs) {
      const { to, bytes } = parcels.shift() as Parcel;
      if (bytes === undefined) to.end();
      else if (to.writable) to.write(bytes);
    }
    if (queueBytes() < queueBytesMax) for (const socket of stopped) if (stopped.delete(socket)) socket.resume();
    if (parcels.length > 0 || stopped.size > 0) deliverSoon();
  }

  return {
    carry(from, to) {
      from.on('data', (bytes: Buffer) => {
        put({ from, to, bytes });
        if (queueBytes() < queueBytesMax) return;
        stopped.add(from);
        from.pause();
      });
      from.on('end', () => put({ from, to }));
    },
    get heldUpMs() {
      return heldUpMs;
    },
    close: () => clearTimeout(timer),
  };
}
