/**
 * The memory that is held for what peers have sent, or have not read yet: counted for each peer and for the process, and
 * bounded for both. Pure.
 *
 *     0 ───────────── pressed ───────── full ───────── the bound
 *        windows grow         windows are    no new      the connection whose reader has taken
 *                             small          streams     nothing for the longest is cut
 *
 * A peer that holds less than its share of the process is not made to pay for the others: what all hold together is taken
 * from those that hold most.
 */
import { Line, type Place } from '../runtime/line.ts';
import { BUFFER_BYTES_MAX, BUFFERS_FULL_PERCENT, BUFFERS_PRESSED_PERCENT, PEER_BUFFER_BYTES_MAX } from './limits.ts';

/** One buffer, or several that are cut together. */
export interface Holding {
  /** What it holds now; 0 when it is gone. Less than before: its reader has taken something. */
  set(bytes: number): void;
}

export interface PeerAccount {
  /**
   * @param evict - Frees what it holds, at once; called when memory is needed and this one was read the longest ago. Without
   *   it the holding only counts.
   */
  hold(evict?: () => void): Holding;
  /** False: new streams of this peer are refused. */
  readonly hasRoom: boolean;
  /** True: streams of this peer get small windows. */
  readonly pressed: boolean;
  readonly bytes: number;
}

export interface Account {
  /** The same one for each call with this name. */
  of(peer: string): PeerAccount;
  readonly bytes: number;
  /** What all peers together may hold, and what one may. */
  readonly bytesMax: number;
  readonly peerBytesMax: number;
  /** Drops the account of a peer that is gone, unless something is held for it. */
  forget(peer: string): void;
  /** Peers that hold something. */
  peers(): ReadonlyMap<string, number>;
}

interface Entry {
  bytes: number;
  /** Those that hold something and can be evicted; the one whose reader has taken nothing for the longest is the first. */
  readonly evictable: Line<() => void>;
  readonly account: PeerAccount;
}

export interface AccountOptions {
  readonly bytesMax?: number;
  readonly peerBytesMax?: number;
}

export function makeAccount({
  bytesMax = BUFFER_BYTES_MAX,
  peerBytesMax = PEER_BUFFER_BYTES_MAX,
}: AccountOptions = {}): Account {
  const entries = new Map<string, Entry>();
  let totalBytes = 0;
  /** To cut something makes other things grow for a moment: what is said of it, and the reset itself, are written first. */
  let isMakingRoom = false;

  const shareBytes = (): number => bytesMax / Math.max(1, holders().length);
  const holders = (): Entry[] => [...entries.values()].filter(({ bytes }) => bytes > 0);

  function isAbove(entry: Entry, percent: number): boolean {
    if (entry.bytes >= (peerBytesMax * percent) / 100) return true;
    return totalBytes >= (bytesMax * percent) / 100 && entry.bytes >= (shareBytes() * percent) / 100;
  }

  function cutStalest(entry: Entry | undefined): boolean {
    const evict = entry?.evictable.shift();
    evict?.();
    return evict !== undefined;
  }

  function makeRoom(entry: Entry): void {
    if (isMakingRoom) return;
    isMakingRoom = true;
    try {
      while (entry.bytes > peerBytesMax) if (!cutStalest(entry)) break;
      while (totalBytes > bytesMax) if (!cutStalest(largest())) break;
    } finally {
      isMakingRoom = false;
    }
  }

  function largest(): Entry | undefined {
    return holders()
      .filter(({ evictable }) => evictable.size > 0)
      .sort((a, b) => b.bytes - a.bytes)[0];
  }

  function makeHolding(entry: Entry, evict: (() => void) | undefined): Holding {
    let heldBytes = 0;
    /** Among those that can be evicted. */
    let place: Place | undefined;
    return {
      set(bytes) {
        if (bytes === heldBytes) return;
        const isRead = bytes < heldBytes;
        entry.bytes += bytes - heldBytes;
        totalBytes += bytes - heldBytes;
        heldBytes = bytes;
        if (evict !== undefined) {
          if (isRead) place?.leave();
          if (bytes > 0 && place?.isTaken !== true) place = entry.evictable.join(evict);
        }
        if (!isRead) makeRoom(entry);
      },
    };
  }

  function addEntry(peer: string): Entry {
    const entry: Entry = {
      bytes: 0,
      evictable: new Line(),
      account: {
        hold: (evict) => makeHolding(entry, evict),
        get hasRoom() {
          return !isAbove(entry, BUFFERS_FULL_PERCENT);
        },
        get pressed() {
          return isAbove(entry, BUFFERS_PRESSED_PERCENT);
        },
        get bytes() {
          return entry.bytes;
        },
      },
    };
    entries.set(peer, entry);
    return entry;
  }

  return {
    of: (peer) => (entries.get(peer) ?? addEntry(peer)).account,
    get bytes() {
      return totalBytes;
    },
    bytesMax,
    peerBytesMax,
    forget(peer) {
      if (entries.get(peer)?.bytes === 0) entries.delete(peer);
    },
    peers: () => new Map([...entries].filter(([, { bytes }]) => bytes > 0).map(([peer, { bytes }]) => [peer, bytes])),
  };
}
