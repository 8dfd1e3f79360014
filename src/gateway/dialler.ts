/**
 * Keeps a session, or a link in ClusterLink's form, to one gateway of a peer. Which of the two is asked at every dial: a peer that
 * is upgraded has sessions from then on. Where the peer says that it has replicas, to two instances behind it: a load
 * balancer gives whom it likes, so it is asked a few times, and now and then later.
 *
 * While those that there are carry much, a further one is dialled beside them (further-sessions.ts), to whichever instance answers. When
 * the load is gone, the newest ones that have no streams are retired.
 *
 * A session can be replaced: the new one is there before the old one is retired, which then ends with its last stream. So it
 * is done when the gateway's name leads elsewhere, which is looked up while there is a session.
 */
import { AppError } from '../api/errors.ts';
import type { Reason } from '../api/reasons.ts';
import { hasOtherOf, instancesOf, makeFurtherSessions, type FurtherSessionsOptions } from './further-sessions.ts';
import { REPLICAS_FEATURE } from './hello.ts';
import {
  INSTANCES_PER_ADDRESS,
  REDIAL_MAX_MS,
  REDIAL_MIN_MS,
  REDIAL_SPARE_MAX_MS,
  RESOLVE_INTERVAL_MS,
  RETIRED_PER_ADDRESS_MAX,
  SPARE_ATTEMPTS_MAX,
  SPARE_INTERVAL_MS,
} from './limits.ts';
import { makeMovedAddress } from './moved-address.ts';
import type { PeerLink } from './link.ts';

export type DialOutcome =
  /** `address`: which of those that the gateway's name has; absent where that is not known here. */
  | { readonly ok: true; readonly session: PeerLink; readonly address?: string }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

export interface DiallerOptions extends FurtherSessionsOptions {
  dial(signal: AbortSignal): Promise<DialOutcome>;
  /** False: not taken; destroy it. */
  add(session: PeerLink): boolean;
  /** Whether the peer has no session at all: then waits are short. */
  isUrgent(): boolean;
  onFailure(failure: { readonly reason: Reason; readonly message: string }): void;
  /** What the gateway's name resolves to now; undefined where it has none, or another one resolves it. */
  lookUp?(): Promise<readonly string[]> | undefined;
  /** Another session stands in for it: it takes no new streams from now on, and ends with its last one. */
  retire(session: PeerLink): void;
  /** The peer has taken a session beside others, and ended it at once: it is not asked again for a while. */
  onFurtherRefused(): void;
  /** Between two looks at the name; tests shorten it. */
  readonly resolveIntervalMs?: number | undefined;
}

export interface Dialler {
  /** Looks whether there is something to dial for. */
  refresh(): void;
  /** Looks what its sessions carry; to be called now and then. */
  lookAtLoad(): void;
  /** One of the peer's sessions has ended. */
  ended(session: PeerLink, how: { readonly young: boolean }): void;
  /**
   * Dials anew for each of its sessions that is meant, and retires that one when its successor is there; until then it serves.
   * Sessions that are replaced already, or are not of this dialler, are left alone.
   */
  replace(isMeant: (session: PeerLink) => boolean): void;
  /** The address is the peer's no more: one session of each instance goes on, and nobody dials for it. */
  leave(): void;
  close(): void;
}

/** The only one; another one beside it, for what they carry; another instance. */
type Wanted = 'session' | 'further' | 'spare';

interface Pause {
  readonly what: Wanted;
  readonly urgent: boolean;
  wake(): void;
}

export function startDialler(options: DiallerOptions): Dialler {
  const { dial, add, isUrgent, onFailure, lookUp, retire, onFurtherRefused } = options;
  const { resolveIntervalMs = RESOLVE_INTERVAL_MS } = options;
  const abort = new AbortController();
  const { signal } = abort;
  /** With the address that each was dialled at, where that is known. Oldest first. */
  const sessions = new Map<PeerLink, string | undefined>();
  /** Those that serve until a successor is there. */
  const outgoing = new Set<PeerLink>();
  const further = makeFurtherSessions(options);
  /** Those that only what the others carry was a reason for. */
  const byLoad = new WeakSet<PeerLink>();
  const moved = makeMovedAddress<PeerLink>();
  let isRunning = false;
  let isLooking = false;
  /** The wait before the next dial: grows while sessions fail, or die young. */
  let waitMs = REDIAL_MIN_MS;
  /** Dials that found nobody new since the instances last changed. */
  let fruitless = 0;
  let pause: Pause | undefined;

  /** Retired ones live as long as their streams, so only so many are waited for: the others are replaced when these are gone. */
  const canReplace = (): boolean =>
    [...sessions.keys()].filter(({ draining }) => draining).length < RETIRED_PER_ADDRESS_MAX;
  /** Those that count: without the ones that are on their way out. */
  function lasting(): PeerLink[] {
    const replacing = canReplace();
    return [...sessions.keys()].filter((session) => !session.draining && !(replacing && outgoing.has(session)));
  }

  /** What is missing: a session, one that carries less, or another instance beside the one there is. */
  function wanted(): Wanted | undefined {
    const own = lasting();
    const [first] = own;
    if (first === undefined) return 'session';
    if (further.isWanted(own)) return 'further';
    const hasReplicas = first.hello.features.includes(REPLICAS_FEATURE);
    return hasReplicas && instancesOf(own).size < INSTANCES_PER_ADDRESS ? 'spare' : undefined;
  }

  function lookAtLoad(): void {
    const own = lasting();
    further.look(own);
    const tooMany = further.tooMany(own);
    if (tooMany !== undefined) retire(tooMany);
    else if (further.isWanted(own)) refresh();
  }

  async function run(): Promise<void> {
    if (isRunning || signal.aborted) return;
    isRunning = true;
    for (let what = wanted(); what !== undefined && !signal.aborted; what = wanted()) {
      // A peer that takes a session and drops it at once must not be dialled in a hot loop.
      const isDue = (waitMs === REDIAL_MIN_MS && fruitless === 0) || (await pauseBefore(what));
      // Woken before its time: what is wanted, or how much, is another thing now.
      if (isDue && !signal.aborted && wanted() !== undefined) await dialOnce();
    }
    isRunning = false;
  }

  async function dialOnce(): Promise<void> {
    const outcome = await dial(signal);
    if (!outcome.ok) {
      if (!signal.aborted) onFailure(outcome);
      return grow();
    }
    const { session, address } = outcome;
    if (signal.aborted) {
      return session.destroy(new AppError('ERR_STREAM_RESET', `peer ${session.peer}: its address is given up`));
    }
    const isKnown = hasOtherOf(session, lasting());
    if (isKnown && wanted() !== 'further') {
      fruitless++;
      return session.close();
    }
    const isByLoad = isKnown || instancesOf(lasting()).size >= INSTANCES_PER_ADDRESS;
    sessions.set(session, address);
    if (isByLoad) byLoad.add(session);
    if (!isKnown) fruitless = 0;
    if (add(session)) return retireOutgoing();
    sessions.delete(session);
    session.destroy(new AppError('ERR_BOUND_EXCEEDED', `peer ${session.peer}: there are sessions enough`));
    if (isByLoad) further.rest();
    else grow();
  }

  /** Another one stands in for all of them: where there were several, others come as they are wanted. */
  function retireOutgoing(): void {
    for (const session of outgoing) {
      if (!canReplace()) return;
      outgoing.delete(session);
      retire(session);
    }
  }

  function grow(): void {
    waitMs = Math.min(REDIAL_SPARE_MAX_MS, waitMs * 2);
  }

  /** Up to a half less by chance, so that replicas do not dial in step. False: woken before its time. */
  function pauseBefore(what: Wanted): Promise<boolean> {
    const urgent = isUrgent();
    const isResting = what === 'spare' && fruitless >= SPARE_ATTEMPTS_MAX;
    const ms = isResting ? SPARE_INTERVAL_MS : Math.min(waitMs, urgent ? REDIAL_MAX_MS : REDIAL_SPARE_MAX_MS);
    return new Promise((resolve) => {
      const end = (isDue: boolean): void => {
        clearTimeout(timer);
        pause = undefined;
        resolve(isDue);
      };
      const timer = setTimeout(() => end(true), ms * (0.5 + Math.random() / 2));
      pause = { what, urgent, wake: () => end(false) };
    });
  }

  function refresh(): void {
    if (outgoing.size > 0 && lasting().length > 0) retireOutgoing();
    const what = wanted();
    const isMoreNow =
      (pause?.what === 'spare' && what !== 'spare') ||
      (pause?.what === 'further' && what === 'session') ||
      (pause?.urgent === false && isUrgent());
    if (isMoreNow) pause?.wake();
    void run();
  }

  function replace(isMeant: (session: PeerLink) => boolean): void {
    for (const session of sessions.keys()) if (!session.draining && isMeant(session)) outgoing.add(session);
    if (outgoing.size === 0) return;
    // Whatever was met before: this is another beginning.
    waitMs = REDIAL_MIN_MS;
    fruitless = 0;
    further.forget();
    // One of each instance serves until the successor is there, for which the peer must have room.
    for (const session of repeated([...outgoing])) {
      if (!canReplace()) break;
      outgoing.delete(session);
      retire(session);
    }
    refresh();
  }

  /** Whether sessions still lead where the name does. */
  async function look(): Promise<void> {
    if (isLooking) return;
    const dialled = [...sessions].flatMap(([session, address]) =>
      address === undefined || session.draining || outgoing.has(session) ? [] : [{ session, address }],
    );
    const asked = dialled.length === 0 ? undefined : lookUp?.();
    if (asked === undefined) return;
    isLooking = true;
    const answers = await asked.catch(() => undefined);
    isLooking = false;
    if (signal.aborted) return;
    const gone = moved.look(answers, dialled, performance.now());
    if (gone.length > 0) replace((session) => gone.includes(session));
  }
  const looking = lookUp === undefined ? undefined : setInterval(() => void look(), resolveIntervalMs);

  return {
    refresh,
    lookAtLoad,
    ended(session, { young }) {
      if (!sessions.delete(session)) return;
      outgoing.delete(session);
      further.forget();
      const own = lasting();
      if (!hasOtherOf(session, own)) fruitless = 0;
      if (young && byLoad.has(session) && !session.draining && own.length > 0) {
        // What the peer has taken before goes on as if nothing had been asked.
        further.rest();
        // It was lost rather than refused where it has carried anything.
        if (session.rttMs === undefined) onFurtherRefused();
        return;
      }
      if (young) grow();
      else waitMs = REDIAL_MIN_MS;
    },
    replace,
    leave() {
      close();
      for (const session of repeated(lasting())) retire(session);
    },
    close,
  };

  function close(): void {
    clearInterval(looking);
    abort.abort();
    pause?.wake();
  }
}

/** Those before which there is one of the same instance. */
function repeated(links: readonly PeerLink[]): readonly PeerLink[] {
  return links.filter((link, index) => hasOtherOf(link, links.slice(0, index)));
}
