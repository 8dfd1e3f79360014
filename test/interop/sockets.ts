/** The client's end of a connection through the matrix, and where servers of this process listen. */
import { once } from 'node:events';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Address } from '#test/support/clusterlink/types.ts';
import { waitFor } from '#test/support/wait.ts';

/** For bytes that are on their way; beyond what a failing source costs (two tries of 3 s). */
const BYTES_WAIT_MS = 10_000;

export async function listenOn(server: Server, host: string): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export interface Client extends Disposable {
  readonly socket: Socket;
  received(): Buffer;
  /** Waits until so many bytes have come. @throws {Error} where the connection ends before. */
  take(bytes: number, timeoutMs?: number): Promise<Buffer>;
  /** All that came when the connection has ended. */
  readonly ended: Promise<{ readonly received: Buffer; readonly reset: boolean }>;
}

export function connectTo({ host, port }: Address): Client {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  const pieces: Buffer[] = [];
  let length = 0;
  let reset = false;
  socket.on('data', (piece: Buffer) => {
    pieces.push(piece);
    length += piece.length;
  });
  socket.on('error', () => (reset = true)).on('end', () => socket.end());
  const received = (): Buffer => Buffer.concat(pieces);
  return {
    socket,
    received,
    async take(bytes, timeoutMs = BYTES_WAIT_MS) {
      await waitFor(`${bytes} bytes`, () => length >= bytes || socket.closed, timeoutMs);
      if (length < bytes) throw new Error(`ended after ${length} of ${bytes} bytes${reset ? ', by a reset' : ''}`);
      return received();
    },
    ended: new Promise((resolve) => socket.once('close', () => resolve({ received: received(), reset }))),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** What an echo gives back of it. @throws {Error} where that is not the same, or not all. */
export async function echoOnce(address: Address, payload: string): Promise<void> {
  using client = connectTo(address);
  client.socket.write(payload);
  const echoed = (await client.take(Buffer.byteLength(payload))).toString();
  if (echoed !== payload) throw new Error(`sent ${JSON.stringify(payload)}, and ${JSON.stringify(echoed)} came back`);
}
