/**
 * What the streams of peers may be promised beyond the window that every stream may have: bounded for each peer and for the
 * process, and shared fairly. It bounds what honest peers can make this process hold at once when all readers stop; whatever is
 * really held is the account's (account.ts). Pure.
 *
 * A promise cannot be taken back. Whoever has more than a fair share gets no more until so much has been used that it has less.
 */
import { PEER_WINDOW_BYTES_MAX, WINDOWS_BYTES_MAX } from './limits.ts';

export interface PeerWindows {
  /** What a stream may be promised beyond, that is promised `bytes` now. */
  allowance(bytes: number): number;
  /** What one stream is promised beyond has changed; 0 before it ever was, and when it is gone. */
  change(fromBytes: number, toBytes: number): void;
}

export interface WindowBudget {
  /** The same one for each call with this name, as long as anything is promised. */
  of(peer: string): PeerWindows;
  readonly bytes: number;
}

export interface WindowBudgetOptions {
  readonly bytesMax?: number;
  readonly peerBytesMax?: number;
}

interface Share {
  bytes: number;
  /** Streams that are promised anything beyond. */
  streams: number;
}

export function makeWindowBudget({
  bytesMax = WINDOWS_BYTES_MAX,
  peerBytesMax = PEER_WINDOW_BYTES_MAX,
}: WindowBudgetOptions = {}): WindowBudget {
  /** Of those who are promised anything. */
  const shares = new Map<string, Share>();
  let totalBytes = 0;

  function allowance(peer: string, bytes: number): number {
    const share = shares.get(peer) ?? { bytes: 0, streams: 0 };
    const peers = shares.size + (shares.has(peer) ? 0 : 1);
    const streams = share.streams + (bytes > 0 ? 0 : 1);
    const peerBytes = Math.min(peerBytesMax, bytesMax / peers);
    const freeBytes = Math.min(peerBytesMax - share.bytes, bytesMax - totalBytes);
    return Math.floor(Math.max(0, Math.min(peerBytes / streams, bytes + freeBytes)));
  }

  function change(peer: string, fromBytes: number, toBytes: number): void {
    if (fromBytes === toBytes) return;
    const share = shares.get(peer) ?? { bytes: 0, streams: 0 };
    share.bytes += toBytes - fromBytes;
    totalBytes += toBytes - fromBytes;
    if (fromBytes === 0) share.streams++;
    if (toBytes === 0) share.streams--;
    if (share.streams === 0) shares.delete(peer);
    else shares.set(peer, share);
  }

  return {
    of: (peer) => ({
      allowance: (bytes) => allowance(peer, bytes),
      change: (fromBytes, toBytes) => change(peer, fromBytes, toBytes),
    }),
    get bytes() {
      return totalBytes;
    },
  };
}
