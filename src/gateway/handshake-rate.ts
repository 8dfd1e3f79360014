/**
 * Who may begin a TLS handshake: nothing is known of a caller yet but where it calls from, and each handshake costs about
 * 2 ms of CPU. Pure: its clock is the caller's.
 *
 * A neighbourhood (IPv4 /24, IPv6 /64: what one attacker commonly has) may begin so many a second and hold no more than half
 * of the places, so that a flood out of one leaves room for all others. Peers behind one address translation share its rate:
 * their own redials are far below it.
 *
 * A neighbourhood out of which a caller has proved to be a peer is *known*: its callers have another, far higher rate, and may wait
 * for a place ({@link makeHandshakeQueue}), since a ClusterLink peer makes a connection for each of its clients. Handshakes of a
 * known neighbourhood that come to nothing are taken from the rate of all others; when that is used up, it is known no more.
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
  HANDSHAKE_KNOWN_MS,
  HANDSHAKE_PREFIXES_MAX,
  HANDSHAKE_YIELDS_AFTER_MS,
  HANDSHAKES_MAX,
  HANDSHAKES_PER_PREFIX_MAX,
  HANDSHAKES_PER_SECOND_KNOWN_MAX,
  HANDSHAKES_PER_SECOND_MAX,
} from './limits.ts';

export type HandshakeLimit = 'handshakes' | 'handshakes_per_prefix' | 'handshake_rate';

export type HandshakeVerdict =
  /** Call `done` when the handshake has ended, one way or the other, and before it `proved` where the caller is a peer. */
  | { readonly ok: true; readonly proved: () => void; readonly done: () => void }
  /** `mayWait`: it comes from a known neighbourhood, and may be asked for again. */
  | { readonly ok: false; readonly limit: HandshakeLimit; readonly mayWait: boolean };

export interface HandshakeRate {
  /** @param yieldPlace - ends this handshake at once, for another caller; `done` is called for it. */
  admit(address: string, yieldPlace: () => void): HandshakeVerdict;
  /** Handshakes in flight. */
  readonly inFlight: number;
  /** Prefixes that are remembered. */
  readonly prefixes: number;
}

interface Neighbourhood {
  /** Of callers of whom nothing is known, and of failures. */
  readonly bucket: Bucket;
  /** While it is known. */
  known?: { readonly bucket: Bucket; readonly untilMs: number } | undefined;
  inFlight: number;
}

interface Place {
  readonly neighbourhood: Neighbourhood;
  readonly sinceMs: number;
  readonly leave: () => void;
  readonly yieldPlace: () => void;
}

export function makeHandshakeRate({ now }: { readonly now: () => number }): HandshakeRate {
  /** Those that called least recently first. */
  const neighbourhoods = new Map<string, Neighbourhood>();
  /** Handshakes in flight, the oldest first. */
  const places = new Set<Place>();

  function neighbourhoodOf(prefix: string): Neighbourhood {
    const known = neighbourhoods.get(prefix);
    neighbourhoods.delete(prefix);
    const bucket = known?.bucket ?? makeBucket({ ...RATE, now });
    const neighbourhood = known ?? { bucket, inFlight: 0 };
    neighbourhoods.set(prefix, neighbourhood);
    if (neighbourhoods.size > HANDSHAKE_PREFIXES_MAX) forgetOldest();
    return neighbourhood;
  }

  /** One with a handshake in flight stays: its place would be counted to nobody. There are at most HANDSHAKES_MAX of them. */
  function forgetOldest(): void {
    for (const [prefix, { inFlight: busy }] of neighbourhoods) {
      if (busy > 0) continue;
      neighbourhoods.delete(prefix);
      return;
    }
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

  function enter(neighbourhood: Neighbourhood, yieldPlace: () => void): () => void {
    const leave = (): void => {
      if (places.delete(place)) neighbourhood.inFlight--;
    };
    const place: Place = { neighbourhood, sinceMs: now(), leave, yieldPlace };
    places.add(place);
    neighbourhood.inFlight++;
    return leave;
  }

  function standingOf(neighbourhood: Neighbourhood): Neighbourhood['known'] {
    if (neighbourhood.known !== undefined && now() > neighbourhood.known.untilMs) neighbourhood.known = undefined;
    return neighbourhood.known;
  }

  /** Its peers may have been known before: what they have used of their rate stays used. */
  function becomeKnown(neighbourhood: Neighbourhood): void {
    const bucket = neighbourhood.known?.bucket ?? makeBucket({ ...KNOWN_RATE, now });
    neighbourhood.known = { bucket, untilMs: now() + HANDSHAKE_KNOWN_MS };
  }

  return {
    admit(address, yieldPlace) {
      const neighbourhood = neighbourhoodOf(prefixOf(address));
      const standing = standingOf(neighbourhood);
      const refuse = (limit: HandshakeLimit): HandshakeVerdict => {
        return { ok: false, limit, mayWait: standing !== undefined };
      };
      if (neighbourhood.inFlight >= HANDSHAKES_PER_PREFIX_MAX) return refuse('handshakes_per_prefix');
      const yielding = places.size < HANDSHAKES_MAX ? undefined : whoYields(neighbourhood);
      // Before the rate: whoever is turned away for want of a place has cost nothing.
      if (places.size >= HANDSHAKES_MAX && yielding === undefined) return refuse('handshakes');
      if (!(standing ?? neighbourhood).bucket.take()) return refuse('handshake_rate');
      yielding?.leave();
      yielding?.yieldPlace();
      const leave = enter(neighbourhood, yieldPlace);
      let isOpen = true;
      let isProved = false;
      return {
        ok: true,
        proved() {
          if (!isOpen) return;
          isProved = true;
          becomeKnown(neighbourhood);
        },
        done() {
          leave();
          if (isOpen && !isProved && standing !== undefined && !neighbourhood.bucket.take()) {
            neighbourhood.known = undefined;
          }
          isOpen = false;
        },
      };
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
