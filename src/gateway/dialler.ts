/**
 * Keeps a session to one address of a peer. Where the peer says that it has replicas, to two instances behind it: a load
 * balancer gives whom it likes, so it is asked a few times, and now and then later.
 */
import { AppError } from '../api/errors.ts';
import type { Reason } from '../api/reasons.ts';
import {
  INSTANCES_PER_ADDRESS,
  REDIAL_MAX_MS,
  REDIAL_MIN_MS,
  REDIAL_SPARE_MAX_MS,
  SPARE_ATTEMPTS_MAX,
  SPARE_INTERVAL_MS,
} from './limits.ts';
import type { PeerSession } from './session.ts';

export type DialOutcome =
  | { readonly ok: true; readonly session: PeerSession }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

/** In the hello of a gateway that may be one of several behind its address. */
export const REPLICAS_FEATURE = 'replicas';

export interface DiallerOptions {
  dial(signal: AbortSignal): Promise<DialOutcome>;
  /** False: not taken; destroy it. */
  add(session: PeerSession): boolean;
  /** Whether the peer has no session at all: then waits are short. */
  isUrgent(): boolean;
  onFailure(failure: { readonly reason: Reason; readonly message: string }): void;
}

export interface Dialler {
  /** Looks whether there is something to dial for. */
  refresh(): void;
  /** One of the peer's sessions has ended. */
  ended(session: PeerSession, how: { readonly young: boolean }): void;
  close(): void;
}

interface Pause {
  readonly what: 'session' | 'spare';
  readonly urgent: boolean;
  wake(): void;
}

export function startDialler({ dial, add, isUrgent, onFailure }: DiallerOptions): Dialler {
  const abort = new AbortController();
  const { signal } = abort;
  const sessions = new Set<PeerSession>();
  let isRunning = false;
  /** The wait before the next dial: grows while sessions fail, or die young. */
  let waitMs = REDIAL_MIN_MS;
  /** Dials that found nobody new since the sessions last changed. */
  let fruitless = 0;
  let pause: Pause | undefined;

  const usable = (): PeerSession[] => [...sessions].filter(({ draining }) => !draining);

  /** What is missing: a session, or another instance beside the one there is. */
  function wanted(): 'session' | 'spare' | undefined {
    const [first, ...more] = usable();
    if (first === undefined) return 'session';
    const hasReplicas = first.hello.features.includes(REPLICAS_FEATURE);
    return hasReplicas && more.length + 1 < INSTANCES_PER_ADDRESS ? 'spare' : undefined;
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
    const { session } = outcome;
    const isKnown = usable().some(({ hello }) => hello.instance === session.hello.instance);
    if (signal.aborted) {
      return session.destroy(new AppError('ERR_STREAM_RESET', `peer ${session.peer}: its address is given up`));
    }
    if (isKnown) {
      fruitless++;
      return session.close();
    }
    sessions.add(session);
    fruitless = 0;
    if (add(session)) return;
    sessions.delete(session);
    session.destroy(new AppError('ERR_BOUND_EXCEEDED', `peer ${session.peer}: there are sessions enough`));
    grow();
  }

  function grow(): void {
    waitMs = Math.min(REDIAL_SPARE_MAX_MS, waitMs * 2);
  }

  /** Up to a half less by chance, so that replicas do not dial in step. False: woken before its time. */
  function pauseBefore(what: 'session' | 'spare'): Promise<boolean> {
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

  return {
    refresh() {
      const isMoreNow = (pause?.what === 'spare' && wanted() === 'session') || (pause?.urgent === false && isUrgent());
      if (isMoreNow) pause?.wake();
      void run();
    },
    ended(session, { young }) {
      if (!sessions.delete(session)) return;
      fruitless = 0;
      if (young) grow();
      else waitMs = REDIAL_MIN_MS;
    },
    close() {
      abort.abort();
      pause?.wake();
    },
  };
}
