/**
 * One TCP connection: length-prefixed queries in, replies out in the same order (RFC 7766).
 *
 *     data -> [ input ] -> query -> reply -> [ socket's send buffer ] -> client
 *              at most              reading stops while this one is full, so that a client
 *              one chunk + 4 KiB    that does not read costs two buffers and no more
 *
 * One deadline covers everything that a client can be slow at: it is set anew only by a complete query or an emptied send
 * buffer, so that single octets now and then keep nothing open.
 */
import type { Socket } from 'node:net';
import { TCP_QUERIES_PER_TURN, TCP_QUERY_BYTES_MAX } from './limits.ts';
import { HEADER_BYTES } from './message.ts';
import type { DropReason } from './counts.ts';

export interface TcpConnectionOptions {
  /** The reply to one query; undefined: there is none, which was counted, and the connection ends. */
  respond(query: Buffer): Buffer | undefined;
  readonly timeoutMs: number;
  /** Called at most once, before the connection is cut; not for one that is closed because it is idle. */
  onCut(reason: DropReason): void;
}

const LENGTH_BYTES = 2;

export function serveTcpConnection(socket: Socket, { respond, timeoutMs, onCut }: TcpConnectionOptions): void {
  let input: Buffer = Buffer.alloc(0);
  let isWriteBlocked = false;
  let isTurnOver = false;
  let hasClientEnded = false;
  const deadline = setTimeout(onDeadline, timeoutMs);

  function onDeadline(): void {
    const isIdle = input.length === 0 && !isWriteBlocked && !hasClientEnded;
    if (isIdle) socket.destroy();
    else cut('slow-client');
  }

  function cut(reason: DropReason): void {
    onCut(reason);
    socket.destroy();
  }

  /** Answers what has arrived, as far as the send buffer and the other clients permit. */
  function pump(): void {
    for (let served = 0; !socket.destroyed && !isWriteBlocked && !isTurnOver; served++) {
      const query = takeQuery();
      if (query === undefined) return endIfDone();
      if (served === TCP_QUERIES_PER_TURN - 1) endTurn();
      deadline.refresh();
      serve(query);
    }
    if (!socket.destroyed) socket.pause();
  }

  function takeQuery(): Buffer | undefined {
    if (input.length < LENGTH_BYTES) return undefined;
    const length = input.readUInt16BE(0);
    if (length < HEADER_BYTES || length > TCP_QUERY_BYTES_MAX) {
      cut(length < HEADER_BYTES ? 'too-short' : 'too-long');
      return undefined;
    }
    if (input.length < LENGTH_BYTES + length) return undefined;
    const query = input.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
    input = input.subarray(LENGTH_BYTES + length);
    return query;
  }

  function serve(query: Buffer): void {
    const reply = respond(query);
    if (reply === undefined) return void socket.destroy();
    const prefix = Buffer.allocUnsafe(LENGTH_BYTES);
    prefix.writeUInt16BE(reply.length, 0);
    // One write: a length and its reply in two segments confuse simple clients (RFC 7766 §8).
    isWriteBlocked = !socket.write(Buffer.concat([prefix, reply]));
  }

  function endTurn(): void {
    isTurnOver = true;
    setImmediate(() => {
      isTurnOver = false;
      proceed();
    });
  }

  function proceed(): void {
    if (socket.destroyed || isWriteBlocked || isTurnOver) return;
    socket.resume();
    pump();
  }

  /** A client may close its side and still wait for its answers. */
  function endIfDone(): void {
    if (hasClientEnded && !socket.destroyed) socket.end();
  }

  socket.on('data', (chunk: Buffer) => {
    input = input.length === 0 ? chunk : Buffer.concat([input, chunk]);
    pump();
  });
  socket.on('drain', () => {
    isWriteBlocked = false;
    deadline.refresh();
    proceed();
  });
  socket.on('end', () => {
    hasClientEnded = true;
    pump();
  });
  // A reset by the client; 'close' follows and nothing is owed to it.
  socket.on('error', () => undefined);
  socket.on('close', () => clearTimeout(deadline));
}
