/**
 * Whoever waits for a connection that is being opened, and may leave. An AbortSignal says the same: to make one and its errors for
 * each connection costs more than the dial itself.
 */
import type { Duplex } from 'node:stream';

export interface Asker {
  readonly isGone: boolean;
  /** Called when it goes, if it is still there; the result: that is awaited no longer. */
  onGone(act: () => void): () => void;
}

/** An asker that stands for others, and listens to them until nobody waits any more. */
export interface JoinedAsker extends Asker {
  /** Nobody waits any more, whatever happens. */
  end(): void;
}

/** An asker whose patience has an end: it is gone, too, when its time is over. */
export interface LimitedAsker extends JoinedAsker {
  /** Its time was over before it went. */
  readonly isLate: boolean;
}

export function askerOf(stream: Duplex): Asker {
  return {
    get isGone() {
      return stream.destroyed;
    },
    onGone(act) {
      stream.once('close', act);
      return () => void stream.off('close', act);
    },
  };
}

/** Gone as soon as one of them is: each is one reason to wait no longer. */
export function anyOf(...askers: readonly Asker[]): JoinedAsker {
  const acts = new Set<() => void>();
  const tell = (): void => {
    for (const act of [...acts]) act();
  };
  const forgets = askers.map((asker) => asker.onGone(tell));
  return {
    get isGone() {
      return askers.some((asker) => asker.isGone);
    },
    onGone(act) {
      acts.add(act);
      return () => void acts.delete(act);
    },
    end() {
      for (const forget of forgets) forget();
      acts.clear();
    },
  };
}

export function limitAsker(asker: Asker, timeoutMs: number): LimitedAsker {
  let isLate = false;
  const clock: Asker = {
    get isGone() {
      return isLate;
    },
    onGone(act) {
      const timer = setTimeout(() => {
        isLate = !asker.isGone;
        act();
      }, timeoutMs);
      return () => clearTimeout(timer);
    },
  };
  const either = anyOf(asker, clock);
  return {
    get isGone() {
      return either.isGone;
    },
    get isLate() {
      return isLate;
    },
    onGone: either.onGone,
    end: either.end,
  };
}

/** For what waits by signals; where nothing has to wait, none is made. */
export function signalOf(asker: Asker): AbortSignal {
  const gone = new AbortController();
  if (asker.isGone) gone.abort();
  else asker.onGone(() => gone.abort());
  return gone.signal;
}
