/**
 * What one peer may ask of this gateway, over all its sessions together: a bound that held for each session alone would be
 * as many times larger as a hostile peer opens sessions. Pure: its clock is the caller's.
 *
 * Beyond most bounds one stream is refused (`OVERLOADED`) and the rest goes on. Only a flood, which no gateway sends whatever
 * its clients do, ends the session that it comes over.
 */
import type { Account, PeerAccount } from './account.ts';
import { makeWindowBudget, type PeerWindows } from './window-budget.ts';
import { makeBucket } from '../runtime/bucket.ts';
import {
  BUFFER_BYTES_MAX,
  CONTROL_LINES_PER_SECOND_MAX,
  EARLY_RESETS_PER_SECOND_MAX,
  EXCHANGES_AT_ONCE_MAX,
  EXCHANGES_PER_SECOND_MAX,
  HALF_OPEN_STREAMS_PER_PEER_MAX,
  PEER_WINDOW_BYTES_MAX,
  PENDING_DIALS_PER_PEER_MAX,
  REFUSED_STREAMS_PER_SECOND_MAX,
  STREAMS_PER_PEER_MAX,
  STREAMS_PER_SECOND_MAX,
  WINDOWS_BYTES_MAX,
} from './limits.ts';
import { WHOLE, type Shares } from './shares.ts';
import { HEAD_BYTES_MAX } from './wire/limits.ts';
import { PINGS_PER_SECOND_MAX } from './yamux/limits.ts';

/** As they stand in metrics. */
export type PeerLimit =
  | 'streams'
  | 'streams_half_open'
  | 'stream_opens'
  | 'stream_resets'
  | 'stream_refusals'
  | 'exchange_opens'
  | 'pending_dials'
  | 'pings'
  | 'control_lines'
  | 'buffers';

/** What a peer does that costs little once and much when it is done without end: beyond their rate the session ends. */
export type Act = 'stream_resets' | 'stream_refusals' | 'pings' | 'control_lines';

export interface LimitUsage {
  readonly limit: string;
  /** Empty: of all peers together. */
  readonly peer: string;
  /** 0 to 1: now, or for rates at most since the last report. */
  readonly ratio: number;
  /** Since the last report. */
  readonly refused: number;
}

export interface PeerBound {
  readonly memory: PeerAccount;
  readonly windows: PeerWindows;
  /** Whether the peer may open a further stream; undefined if it may. A refusal is counted. */
  refusalOfStream(): PeerLimit | undefined;
  /** A stream of the peer is open, until `closed` is called, and half open until `headRead` is. Both may be called twice. */
  stream(): { readonly headRead: () => void; readonly closed: () => void };
  /** Whether the peer may begin an exchange; a refusal is counted. */
  mayExchange(): boolean;
  /** An endpoint is about to be dialled for the peer: call the result when that is over. Undefined: too many are. */
  dial(): (() => void) | undefined;
  /** False: the session has to end. */
  tolerates(act: Act): boolean;
  /** Counts a refusal that was decided elsewhere. */
  refuse(limit: PeerLimit): void;
}

export interface PeerBounds {
  /** The same one for each call with this name. */
  of(peer: string): PeerBound;
  /** Forgets peers that are not among these and have nothing open. */
  retain(peers: { has(peer: string): boolean }): void;
  report(): LimitUsage[];
}

export interface PeerBoundsOptions {
  readonly account: Account;
  readonly now: () => number;
  /** What of the bound on open streams is this data plane's; absent: all. The others bound what may come at one event loop at once. */
  readonly shares?: Shares | undefined;
  /** A peer has reached a bound: once a second for each, so that whoever reports it cannot be flooded either. */
  onRefused(limit: PeerLimit, peer: string): void;
}

interface Entry {
  readonly bound: PeerBound;
  readonly isIdle: () => boolean;
  readonly report: () => LimitUsage[];
  readonly close: () => void;
}

export function makePeerBounds({ account, now, shares = WHOLE, onRefused }: PeerBoundsOptions): PeerBounds {
  const entries = new Map<string, Entry>();
  // What is promised is divided as what is held is, where several data planes share it.
  const part = account.bytesMax / BUFFER_BYTES_MAX;
  const windows = makeWindowBudget({
    bytesMax: WINDOWS_BYTES_MAX * part,
    peerBytesMax: PEER_WINDOW_BYTES_MAX * part,
  });

  function entryOf(peer: string): Entry {
    const known = entries.get(peer);
    if (known !== undefined) return known;
    const made = makeEntry({
      peer,
      memory: account.of(peer),
      memoryBytesMax: account.peerBytesMax,
      windows: windows.of(peer),
      shares,
      now,
      onRefused,
    });
    entries.set(peer, made);
    return made;
  }

  return {
    of: (peer) => entryOf(peer).bound,
    retain(peers) {
      for (const [peer, { isIdle, close }] of entries) {
        if (peers.has(peer) || !isIdle()) continue;
        entries.delete(peer);
        close();
        account.forget(peer);
      }
    },
    report: () => [
      { limit: 'buffers', peer: '', ratio: account.bytes / account.bytesMax, refused: 0 },
      ...[...entries.values()].flatMap(({ report }) => report()),
    ],
  };
}

function makeEntry(input: {
  readonly peer: string;
  readonly memory: PeerAccount;
  readonly memoryBytesMax: number;
  readonly windows: PeerWindows;
  readonly shares: Shares;
  readonly now: () => number;
  onRefused(limit: PeerLimit, peer: string): void;
}): Entry {
  const { peer, memory, memoryBytesMax, windows, shares, now, onRefused } = input;
  const open = { streams: 0, streams_half_open: 0, pending_dials: 0 };
  const share = shares(`streams ${peer}`, STREAMS_PER_PEER_MAX);
  const opens = makeBucket({ perSecondMax: STREAMS_PER_SECOND_MAX, now });
  const exchanges = makeBucket({ perSecondMax: EXCHANGES_PER_SECOND_MAX, burstMax: EXCHANGES_AT_ONCE_MAX, now });
  const acts = {
    stream_resets: makeBucket({ perSecondMax: EARLY_RESETS_PER_SECOND_MAX, now }),
    stream_refusals: makeBucket({ perSecondMax: REFUSED_STREAMS_PER_SECOND_MAX, now }),
    pings: makeBucket({ perSecondMax: PINGS_PER_SECOND_MAX, now }),
    control_lines: makeBucket({ perSecondMax: CONTROL_LINES_PER_SECOND_MAX, now }),
  };
  const refused = new Map<PeerLimit, number>();
  const toldMs = new Map<PeerLimit, number>();

  function refuse(limit: PeerLimit): void {
    refused.set(limit, (refused.get(limit) ?? 0) + 1);
    if (now() - (toldMs.get(limit) ?? -Infinity) < TELL_EVERY_MS) return;
    toldMs.set(limit, now());
    onRefused(limit, peer);
  }

  /** The rate is the last: what is refused for another reason takes nothing from it. */
  function limitOfStream(): PeerLimit | undefined {
    if (open.streams >= share.max) {
      share.see(open.streams);
      return 'streams';
    }
    if (open.streams_half_open >= HALF_OPEN_STREAMS_PER_PEER_MAX) return 'streams_half_open';
    if (!memory.hasRoom) return 'buffers';
    return opens.take() ? undefined : 'stream_opens';
  }

  function change(what: keyof typeof open, by: 1 | -1): void {
    open[what] += by;
    if (what === 'streams') share.see(open.streams);
  }

  const bound: PeerBound = {
    memory,
    windows,
    refusalOfStream() {
      const limit = limitOfStream();
      if (limit !== undefined) refuse(limit);
      return limit;
    },
    stream() {
      let isHalfOpen = true;
      let isOpen = true;
      change('streams', 1);
      change('streams_half_open', 1);
      // Where its head is collected, the session does not see: so it counts as if it were as long as it may be.
      const head = memory.hold();
      head.set(HEAD_BYTES_MAX);
      const headRead = (): void => {
        if (!isHalfOpen) return;
        isHalfOpen = false;
        change('streams_half_open', -1);
        head.set(0);
      };
      return {
        headRead,
        closed() {
          headRead();
          if (isOpen) change('streams', -1);
          isOpen = false;
        },
      };
    },
    mayExchange() {
      const isThere = exchanges.take();
      if (!isThere) refuse('exchange_opens');
      return isThere;
    },
    dial() {
      if (open.pending_dials >= PENDING_DIALS_PER_PEER_MAX) {
        refuse('pending_dials');
        return undefined;
      }
      let isPending = true;
      change('pending_dials', 1);
      return () => {
        if (isPending) change('pending_dials', -1);
        isPending = false;
      };
    },
    tolerates(act) {
      const isTolerable = acts[act].take();
      if (!isTolerable) refuse(act);
      return isTolerable;
    },
    refuse,
  };

  function report(): LimitUsage[] {
    const ratios: [PeerLimit, number][] = [
      ['streams', open.streams / STREAMS_PER_PEER_MAX],
      ['streams_half_open', open.streams_half_open / HALF_OPEN_STREAMS_PER_PEER_MAX],
      ['pending_dials', open.pending_dials / PENDING_DIALS_PER_PEER_MAX],
      ['buffers', memory.bytes / memoryBytesMax],
      ['stream_opens', opens.peak()],
      ['exchange_opens', exchanges.peak()],
      ...Object.entries(acts).map(([act, bucket]): [PeerLimit, number] => [act as Act, bucket.peak()]),
    ];
    const usages = ratios.map(([limit, ratio]) => ({ limit, peer, ratio, refused: refused.get(limit) ?? 0 }));
    refused.clear();
    return usages;
  }

  return {
    bound,
    report,
    isIdle: () => open.streams + open.pending_dials + memory.bytes === 0,
    close: () => share.close(),
  };
}

/** Of one bound and one peer: what the log says. Metrics count every refusal. */
const TELL_EVERY_MS = 1_000;
