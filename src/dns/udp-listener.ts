/** Datagrams in, datagrams out. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Client } from './clients.ts';
import type { DropReason } from './counts.ts';
import { UDP_BUFFER_BYTES, UDP_SEND_QUEUE_BYTES_MAX } from './limits.ts';
import type { Sources } from './sources.ts';

const REPLIES_PER_QUEUE_CHECK = 16;

export interface UdpListenerOptions {
  readonly family: 4 | 6;
  readonly sources: Sources;
  /** Other sockets of this user may be bound to the same port; the kernel shares the clients out among them. */
  readonly isShared?: boolean;
  respond(query: Buffer, client: Client): Buffer | undefined;
  onDrop(reason: DropReason): void;
}

export interface UdpListener {
  readonly socket: Socket;
  close(): Promise<void>;
}

/** Not bound yet. */
export function makeUdpListener({
  family,
  sources,
  isShared = false,
  respond,
  onDrop,
}: UdpListenerOptions): UdpListener {
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    recvBufferSize: UDP_BUFFER_BYTES,
    sendBufferSize: UDP_BUFFER_BYTES,
    reusePort: isShared,
    // Addresses only: they need no resolver, and what is known at once is sent at once.
    lookup: (address, _, callback) => callback(null, address, family),
  });

  let replies = 0;
  let isFull = false;

  function receive(query: Buffer, { address, port }: RemoteInfo): void {
    const source = sources.of(address);
    if (source === undefined) return onDrop('client-not-allowed');
    // Only a forger sends from there, and Node would throw at an answer to it.
    if (port === 0) return onDrop('source-port-zero');
    // Before the work, so that the limit bounds that too.
    if (!source.replies.take()) return onDrop('rate-limited');
    const reply = respond(query, source.client);
    if (reply === undefined) return;
    if (isSendQueueFull()) return onDrop('send');
    socket.send(reply, port, address, onSent);
  }

  /** Asked once for some replies: it is a call into Node, and the bound is some replies more or less. */
  function isSendQueueFull(): boolean {
    replies += 1;
    if (replies % REPLIES_PER_QUEUE_CHECK === 0) isFull = socket.getSendQueueSize() > UDP_SEND_QUEUE_BYTES_MAX;
    return isFull;
  }

  function onSent(error: Error | null): void {
    if (error !== null) onDrop('send');
  }

  socket.on('message', receive);
  return { socket, close: () => new Promise((resolve) => socket.close(() => resolve())) };
}
