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
import type { PeerAccount } from '../account.ts';
import { heldBytesOf, type TunnelMemory } from '../held-bytes.ts';
import { resetConnection } from '../relay.ts';
import { waitBeforeEnd } from './client-end.ts';
import type { WatchedTunnel } from './stalled.ts';
import { END_ANSWERED_MS, END_LINGER_MS, PEER_END_LINGER_MS } from './limits.ts';

export interface TunnelStreamOptions {
  /** Its 200 was read. */
  readonly socket: TLSSocket;
  readonly peer: string;
  readonly now: () => number;
  /** Counts what waits here and at the other side; cuts it where memory is short and nobody reads. */
  readonly memory: PeerAccount;
}

export type TunnelStream = Duplex & TunnelMemory & WatchedTunnel;

type Done = (error?: Error | null) => void;

export function makeTunnelStream({ socket, peer, now, memory }: TunnelStreamOptions): TunnelStream {
  let sentMs: number | undefined;
  let unansweredSinceMs: number | undefined;
  let receivedMs: number | undefined;
  let endedMs = 0;
  let hasPeerEnded = false;
  /** What the client wrote after that. */
  let lostBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  /** Until when the client's end is kept back, unless something changes; Infinity: there is none, or it was told. */
  let keptUntilMs = Infinity;
  let finish: Done | undefined;
  let onDrained: Done | undefined;

  const duplex = new Duplex({
    allowHalfOpen: true,
    read: () => void socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (hasPeerEnded) {
        lostBytes += chunk.length;
        return done();
      }
      sentMs = now();
      unansweredSinceMs ??= sentMs;
      if (socket.write(chunk)) done();
      else onDrained = done;
    },
    final(done) {
      finish = done;
      if (hasPeerEnded) endAfterPeer();
      else {
        endedMs = now();
        keepEndBack();
      }
    },
    destroy(error, done) {
      clearTimeout(timer);
      held.set(0);
      stream.otherSide = undefined;
      if (!socket.destroyed) {
        if (error === null) socket.destroySoon();
        else resetConnection(socket, error);
      }
      done(error);
    },
  });

  const held = memory.hold(() => {
    stream.destroy(
      new AppError('ERR_BOUND_EXCEEDED', `Memory for ${peer} is short: this was read the longest ago.`, {
        retryable: true,
      }),
    );
  });
  const stream: TunnelStream = Object.assign(duplex, {
    otherSide: undefined,
    unansweredMs: () => (unansweredSinceMs === undefined ? 0 : now() - unansweredSinceMs),
    measure() {
      if (stream.destroyed) return;
      const { otherSide } = stream;
      const here = stream.readableLength + stream.writableLength + heldBytesOf(socket);
      held.set(here + (otherSide === undefined ? 0 : heldBytesOf(otherSide)));
    },
  });

  function keepEndBack(): void {
    clearTimeout(timer);
    // While the client does not read what came, the service is not silent: it is held back.
    const isHeldBack = stream.readableLength + socket.readableLength > 0;
    const waitMs = isHeldBack ? END_ANSWERED_MS : waitBeforeEnd({ endedMs, sentMs, receivedMs }, now());
    keptUntilMs = waitMs > 0 ? now() + waitMs : Infinity;
    timer = waitMs > 0 ? setTimeout(keepEndBack, waitMs) : setTimeout(giveUp, END_LINGER_MS);
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
    unansweredSinceMs = undefined;
    // An answer shortens the wait; what follows lengthens it, which is seen when it is over.
    if (now() + END_ANSWERED_MS < keptUntilMs && keptUntilMs < Infinity) keepEndBack();
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
