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

/** An asker whose patience has an end: it is gone, too, when its time is over. */
export interface LimitedAsker extends Asker {
  /** Its time was over before it went. */
  readonly isLate: boolean;
  /** Nobody waits any more, whatever happens. */
  end(): void;
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

export function limitAsker(asker: Asker, timeoutMs: number): LimitedAsker {
  const acts = new Set<() => void>();
  let isLate = false;
  const tell = (): void => {
    for (const act of [...acts]) act();
  };
  const timer = setTimeout(() => {
    isLate = !asker.isGone;
    tell();
  }, timeoutMs);
  const forget = asker.onGone(tell);
  return {
    get isGone() {
      return isLate || asker.isGone;
    },
    get isLate() {
      return isLate;
    },
    onGone(act) {
      acts.add(act);
      return () => void acts.delete(act);
    },
    end() {
      clearTimeout(timer);
      forget();
      acts.clear();
    },
  };
}

/** For what waits by signals; where nothing has to wait, none is made. */
export function signalOf(asker: Asker): AbortSignal {
  const gone = new AbortController();
  if (asker.isGone) gone.abort();
  else asker.onGone(() => gone.abort());
  return gone.signal;
}
