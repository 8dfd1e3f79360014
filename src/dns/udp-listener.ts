/** Datagrams in, datagrams out. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Client, ClientNetworks } from './clients.ts';
import { UDP_SEND_QUEUE_BYTES_MAX } from './limits.ts';
import type { DropReason } from './metrics.ts';
import type { ReplyLimiter } from './rate-limit.ts';

export interface UdpListenerOptions {
  readonly family: 4 | 6;
  readonly clients: ClientNetworks;
  readonly limiter: ReplyLimiter;
  respond(query: Buffer, client: Client): Buffer | undefined;
  onDrop(reason: DropReason): void;
}

export interface UdpListener {
  readonly socket: Socket;
  close(): Promise<void>;
}

/** Not bound yet. */
export function makeUdpListener({ family, clients, limiter, respond, onDrop }: UdpListenerOptions): UdpListener {
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4' });

  function receive(query: Buffer, { address, port }: RemoteInfo): void {
    const client = clients.classify(address);
    if (client === undefined) return onDrop('client-not-allowed');
    // Only a forger sends from there, and Node would throw at an answer to it.
    if (port === 0) return onDrop('source-port-zero');
    // Before the work, so that the limit bounds that too.
    if (!limiter.take(client.address)) return onDrop('rate-limited');
    const reply = respond(query, client);
    if (reply === undefined) return;
    if (socket.getSendQueueSize() > UDP_SEND_QUEUE_BYTES_MAX) return onDrop('send');
    socket.send(reply, port, address, (error) => {
      if (error !== null) onDrop('send');
    });
  }

  socket.on('message', receive);
  return { socket, close: () => new Promise((resolve) => socket.close(() => resolve())) };
}
