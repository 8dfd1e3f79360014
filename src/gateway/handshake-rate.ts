/**
 * Who may begin a TLS handshake: nothing is known of a caller yet but where it calls from, and each handshake costs about
 * 2 ms of CPU. Pure: its clock is the caller's.
 *
 * A neighbourhood (IPv4 /24, IPv6 /64: what one attacker commonly has) may begin so many a second and hold no more than half
 * of the places, so that a flood out of one leaves room for all others. Peers behind one address translation share its rate:
 * their own redials are far below it.
 *
 * An address from which a caller has proved to be a peer is *known*: those of one neighbourhood have another, far higher rate, and
 * may wait for a place ({@link makeHandshakeQueue}), since a ClusterLink peer makes a connection for each of its clients. Strangers
 * beside it take nothing from that, and give up their places to it. Its own handshakes that come to nothing have the rate of a
 * stranger; when that is used up, the address is known no more.
 *
 * All strangers together have no more than the known ones of one neighbourhood: prefixes cost nothing, an IPv6 /48 has 65,536.
 *
 * When all places are taken, the caller gets that of the oldest handshake in the neighbourhood that holds most, if it holds more
 * than the caller's would; or that of the oldest of all, if an honest one would have ended by then. So nobody keeps others out by
 * calling from two neighbourhoods and saying nothing.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { makeBucket, type Bucket } from '../runtime/bucket.ts';
import {
  HANDSHAKE_BURST_PER_KNOWN_PREFIX_MAX,
  HANDSHAKE_BURST_PER_PREFIX_MAX,
  HANDSHAKE_BURST_UNKNOWN_MAX,
  HANDSHAKE_KNOWN_ADDRESSES_MAX,
  HANDSHAKE_KNOWN_MS,
  HANDSHAKE_PREFIXES_MAX,
  HANDSHAKE_YIELDS_AFTER_MS,
  HANDSHAKES_MAX,
  HANDSHAKES_PER_PREFIX_MAX,
  HANDSHAKES_PER_SECOND_KNOWN_MAX,
  HANDSHAKES_PER_SECOND_MAX,
  HANDSHAKES_PER_SECOND_UNKNOWN_MAX,
} from './limits.ts';

export type HandshakeLimit = 'handshakes' | 'handshakes_per_prefix' | 'handshake_rate';

export type HandshakeVerdict =
  /** Call `done` when the handshake has ended, one way or the other, and before it `proved` where the caller is a peer. */
  | { readonly ok: true; readonly proved: () => void; readonly done: () => void }
  /** `mayWait`: it comes from a known address, and may be asked for again. */
  | { readonly ok: false; readonly limit: HandshakeLimit; readonly mayWait: boolean };

export interface HandshakeRate {
  /** @param yieldPlace - ends this handshake at once, for another caller; `done` is called for it. */
  admit(address: string, yieldPlace: () => void): HandshakeVerdict;
  /** Whether a peer has called from there. */
  isKnown(address: string): boolean;
  /** Handshakes in flight. */
  readonly inFlight: number;
  /** Prefixes that are remembered. */
  readonly prefixes: number;
}

interface Neighbourhood {
  /** Of callers of whom nothing is known. */
  readonly bucket: Bucket;
  /** Since a peer has called out of it. */
  known?: Known;
  inFlight: number;
}

interface Known {
  readonly bucket: Bucket;
  /** Of its handshakes that come to nothing. */
  readonly failures: Bucket;
  /** Until when each is known, the one that has proved itself least recently first. */
  readonly untilMs: Map<string, number>;
}

interface Place {
  readonly neighbourhood: Neighbourhood;
  /** Of a known address. */
  readonly isKnown: boolean;
  readonly sinceMs: number;
  readonly leave: () => void;
  readonly yieldPlace: () => void;
}

export function makeHandshakeRate({ now }: { readonly now: () => number }): HandshakeRate {
  /** Those that called least recently first. */
  const neighbourhoods = new Map<string, Neighbourhood>();
  /** Handshakes in flight, the oldest first. */
  const places = new Set<Place>();
  const strangers = makeBucket({ ...UNKNOWN_RATE, now });

  function neighbourhoodOf(prefix: string): Neighbourhood {
    const known = neighbourhoods.get(prefix);
    neighbourhoods.delete(prefix);
    const bucket = known?.bucket ?? makeBucket({ ...RATE, now });
    const neighbourhood = known ?? { bucket, inFlight: 0 };
    neighbourhoods.set(prefix, neighbourhood);
    if (neighbourhoods.size > HANDSHAKE_PREFIXES_MAX) forgetOldest();
    return neighbourhood;
  }

  /**
   * One with a handshake in flight stays: its place would be counted to nobody. There are at most HANDSHAKES_MAX of them. Known ones
   * go last: prefixes cost a stranger nothing.
   */
  function forgetOldest(): void {
    let oldestKnown: string | undefined;
    for (const [prefix, { known, inFlight }] of neighbourhoods) {
      if (inFlight > 0) continue;
      if (known === undefined || known.untilMs.size === 0) return void neighbourhoods.delete(prefix);
      oldestKnown ??= prefix;
    }
    if (oldestKnown !== undefined) neighbourhoods.delete(oldestKnown);
  }

  /** Whose place a caller of this neighbourhood gets when all are taken; undefined: nobody's. */
  function whoYields(caller: Neighbourhood): Place | undefined {
    const [oldest] = places;
    if (oldest !== undefined && now() - oldest.sinceMs >= HANDSHAKE_YIELDS_AFTER_MS) return oldest;
    const most = Math.max(...[...places].map(({ neighbourhood }) => neighbourhood.inFlight));
    return most > caller.inFlight + 1
      ? [...places].find(({ neighbourhood }) => neighbourhood.inFlight === most)
      : undefined;
  }

  /** Who says nothing beside a peer keeps it out no longer than until it calls. */
  function strangerIn(neighbourhood: Neighbourhood): Place | undefined {
    return [...places].find((place) => place.neighbourhood === neighbourhood && !place.isKnown);
  }

  function enter(owner: Pick<Place, 'neighbourhood' | 'isKnown' | 'yieldPlace'>): () => void {
    const { neighbourhood } = owner;
    const leave = (): void => {
      if (places.delete(place)) neighbourhood.inFlight--;
    };
    const place: Place = { ...owner, sinceMs: now(), leave };
    places.add(place);
    neighbourhood.inFlight++;
    return leave;
  }

  /** Undefined: it is not known, or no more. */
  function standingOf({ known }: Neighbourhood, address: string): Known | undefined {
    const untilMs = known?.untilMs.get(address);
    if (untilMs === undefined || now() <= untilMs) return untilMs === undefined ? undefined : known;
    known?.untilMs.delete(address);
    return undefined;
  }

  /** What peers of this neighbourhood have used of their rates stays used. */
  function becomeKnown(neighbourhood: Neighbourhood, address: string): void {
    const known = neighbourhood.known ?? {
      bucket: makeBucket({ ...KNOWN_RATE, now }),
      failures: makeBucket({ ...RATE, now }),
      untilMs: new Map<string, number>(),
    };
    neighbourhood.known = known;
    known.untilMs.delete(address);
    known.untilMs.set(address, now() + HANDSHAKE_KNOWN_MS);
    const [oldest] = known.untilMs.keys();
    if (known.untilMs.size > HANDSHAKE_KNOWN_ADDRESSES_MAX && oldest !== undefined) known.untilMs.delete(oldest);
  }

  return {
    admit(address, yieldPlace) {
      const neighbourhood = neighbourhoodOf(prefixOf(address));
      const standing = standingOf(neighbourhood, address);
      const isKnown = standing !== undefined;
      const refuse = (limit: HandshakeLimit): HandshakeVerdict => ({ ok: false, limit, mayWait: isKnown });
      const isFull = neighbourhood.inFlight >= HANDSHAKES_PER_PREFIX_MAX;
      const stranger = isFull && isKnown ? strangerIn(neighbourhood) : undefined;
      if (isFull && stranger === undefined) return refuse('handshakes_per_prefix');
      const yielding = stranger ?? (places.size < HANDSHAKES_MAX ? undefined : whoYields(neighbourhood));
      // Before the rate: whoever is turned away for want of a place has cost nothing.
      if (places.size >= HANDSHAKES_MAX && yielding === undefined) return refuse('handshakes');
      const mayBegin = standing?.bucket.take() ?? (neighbourhood.bucket.take() && strangers.take());
      if (!mayBegin) return refuse('handshake_rate');
      yielding?.leave();
      yielding?.yieldPlace();
      const leave = enter({ neighbourhood, isKnown, yieldPlace });
      let isOpen = true;
      let isProved = false;
      return {
        ok: true,
        proved() {
          if (!isOpen) return;
          isProved = true;
          becomeKnown(neighbourhood, address);
        },
        done() {
          leave();
          if (isOpen && !isProved && standing?.failures.take() === false) standing.untilMs.delete(address);
          isOpen = false;
        },
      };
    },
    isKnown(address) {
      const neighbourhood = neighbourhoods.get(prefixOf(address));
      return neighbourhood !== undefined && standingOf(neighbourhood, address) !== undefined;
    },
    get inFlight() {
      return places.size;
    },
    get prefixes() {
      return neighbourhoods.size;
    },
  };
}

const KNOWN_RATE = {
  perSecondMax: HANDSHAKES_PER_SECOND_KNOWN_MAX,
  burstMax: HANDSHAKE_BURST_PER_KNOWN_PREFIX_MAX,
};

const UNKNOWN_RATE = { perSecondMax: HANDSHAKES_PER_SECOND_UNKNOWN_MAX, burstMax: HANDSHAKE_BURST_UNKNOWN_MAX };

const RATE = { perSecondMax: HANDSHAKES_PER_SECOND_MAX, burstMax: HANDSHAKE_BURST_PER_PREFIX_MAX };

/**
 * `192.0.2.0/24` or `2001:db8:0:0/64`; the mapped form of an IPv4 address is that address, and what is none is a
 * neighbourhood of its own.
 */
export function prefixOf(address: string): string {
  const [bare = ''] = address.split('%');
  const ipv4 = /^::ffff:([\d.]+)$/i.exec(bare)?.[1] ?? bare;
  if (isIPv4(ipv4)) return `${ipv4.split('.').slice(0, 3).join('.')}.0/24`;
  if (!isIPv6(bare)) return 'unknown';
  const [left = '', right] = bare.split('::');
  const groups = left === '' ? [] : left.split(':');
  const rest = right === undefined || right === '' ? [] : right.split(':');
  // A dotted quad at the end stands for two groups: they are behind the first four in any case.
  const length = groups.length + rest.length + (bare.includes('.') ? 1 : 0);
  const zeros = right === undefined ? 0 : 8 - length;
  const all = [...groups, ...Array.from({ length: zeros }, () => '0'), ...rest];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}/64`;
}
