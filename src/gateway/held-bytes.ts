/** What the two ends of a tunnel hold in memory, where they are sockets. */
import type { Duplex } from 'node:stream';

/** A side of a tunnel that answers for the memory of both: what waits there is the doing of the peer behind it. */
export interface TunnelMemory {
  /** Where its bytes go and come from. */
  otherSide: Duplex | undefined;
  /** To be called by whoever changes what waits at either side. */
  measure(): void;
}

export function answersForMemory<T extends Duplex>(side: T): side is T & TunnelMemory {
  return 'otherSide' in side && 'measure' in side;
}

/** A socket whose reader has paused fills up to its mark, and tells nobody: it counts as full. */
export function heldBytesOf(side: Duplex): number {
  if (side.destroyed) return 0;
  const { readableLength, readableHighWaterMark, writableLength, readableEnded } = side;
  const isFilling = side.isPaused() && !readableEnded;
  return writableLength + (isFilling ? Math.max(readableLength, readableHighWaterMark) : readableLength);
}
