/**
 * The far side of a tunnel in ClusterLink's form, as a stream that can be half-open: what the protocol cannot do is made up for
 * here, as far as it can be (reference §3.6, ADR 0018).
 *
 *     client ends   ─▶ its end is kept back until the service has fallen silent, then passed on; that ends both directions
 *     peer ends     ─▶ what came before is read, and then its end; what the client still writes reaches nobody any more
 */
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { AppError } from '../../api/errors.ts';
import { resetConnection } from '../relay.ts';
import { waitBeforeEnd } from './client-end.ts';
import { END_LINGER_MS, PEER_END_LINGER_MS } from './limits.ts';

export interface TunnelStreamOptions {
  /** Its 200 was read. */
  readonly socket: TLSSocket;
  readonly peer: string;
  readonly now: () => number;
}

type Done = (error?: Error | null) => void;

export function makeTunnelStream({ socket, peer, now }: TunnelStreamOptions): Duplex {
  let sentMs: number | undefined;
  let receivedMs: number | undefined;
  let hasPeerEnded = false;
  /** What the client wrote after that. */
  let lostBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let finish: Done | undefined;
  let onDrained: Done | undefined;

  const stream = new Duplex({
    allowHalfOpen: true,
    read: () => void socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (hasPeerEnded) {
        lostBytes += chunk.length;
        return done();
      }
      sentMs = now();
      if (socket.write(chunk)) done();
      else onDrained = done;
    },
    final(done) {
      finish = done;
      if (hasPeerEnded) endAfterPeer();
      else keepEndBack(now());
    },
    destroy(error, done) {
      clearTimeout(timer);
      if (!socket.destroyed) {
        if (error === null) socket.destroySoon();
        else resetConnection(socket, error);
      }
      done(error);
    },
  });

  function keepEndBack(endedMs: number): void {
    const waitMs = waitBeforeEnd({ endedMs, sentMs, receivedMs }, now());
    timer = waitMs > 0 ? setTimeout(() => keepEndBack(endedMs), waitMs) : setTimeout(giveUp, END_LINGER_MS);
    if (waitMs === 0) socket.end();
  }

  /** It was told the client's end, which ends both directions, and goes on. */
  function giveUp(): void {
    stream.destroy(cutError(`peer ${peer}: it has not ended the connection in ${END_LINGER_MS} ms`));
  }

  function endAfterPeer(): void {
    clearTimeout(timer);
    if (lostBytes > 0) {
      stream.destroy(cutError(`peer ${peer}: it ended both directions; ${lostBytes} bytes of the client came later`));
    } else if (finish === undefined) stream.end();
    else finish();
  }

  function onPeerEnd(): void {
    hasPeerEnded = true;
    clearTimeout(timer);
    onDrained?.();
    onDrained = undefined;
    if (finish === undefined) timer = setTimeout(endAfterPeer, PEER_END_LINGER_MS);
    else endAfterPeer();
    stream.push(null);
  }

  socket.on('data', (chunk: Buffer) => {
    receivedMs = now();
    if (!stream.push(chunk)) socket.pause();
  });
  socket.on('drain', () => {
    const done = onDrained;
    onDrained = undefined;
    done?.();
  });
  socket.once('end', onPeerEnd);
  // Stays: a socket may report errors after it was reset.
  socket.on('error', (error) => void stream.destroy(error));
  socket.once('close', () => {
    if (!hasPeerEnded) stream.destroy(cutError(`peer ${peer}: it closed the connection before its end`));
  });
  if (socket.destroyed) stream.destroy(cutError(`peer ${peer}: it closed the connection at once`));
  else if (socket.readableEnded) onPeerEnd();
  // Until it is read.
  else socket.pause();
  return stream;
}

function cutError(message: string): AppError {
  return new AppError('ERR_STREAM_RESET', message, { retryable: true });
}
