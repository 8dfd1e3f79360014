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
  return new StreamAsker(stream);
}

class StreamAsker implements Asker {
  readonly #stream: Duplex;

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  get isGone(): boolean {
    return this.#stream.destroyed;
  }

  onGone(act: () => void): () => void {
    this.#stream.on('close', act);
    return () => void this.#stream.off('close', act);
  }
}

/** Gone as soon as one of them is: each is one reason to wait no longer. */
export function anyOf(...askers: readonly Asker[]): JoinedAsker {
  return new AnyAsker(askers);
}

class AnyAsker implements JoinedAsker {
  readonly #askers: readonly Asker[];
  readonly #forgets: (() => void)[] = [];
  /** Most have one. */
  #acts: readonly (() => void)[] = NOBODY;

  constructor(askers: readonly Asker[]) {
    this.#askers = askers;
    const tell = (): void => {
      for (const act of this.#acts) act();
    };
    for (const asker of askers) this.#forgets.push(asker.onGone(tell));
  }

  get isGone(): boolean {
    for (const asker of this.#askers) if (asker.isGone) return true;
    return false;
  }

  onGone(act: () => void): () => void {
    this.#acts = [...this.#acts, act];
    return () => {
      this.#acts = this.#acts.length === 1 && this.#acts[0] === act ? NOBODY : this.#acts.filter((one) => one !== act);
    };
  }

  end(): void {
    for (const forget of this.#forgets) forget();
    this.#acts = NOBODY;
  }
}

const NOBODY: readonly (() => void)[] = [];

export function limitAsker(asker: Asker, timeoutMs: number): LimitedAsker {
  return new PatientAsker(asker, new Clock(asker, timeoutMs));
}

/** Classes: V8 keeps the getters of an object that is made for each connection, and all they refer to, until a full collection. */
class PatientAsker extends AnyAsker implements LimitedAsker {
  readonly #clock: Clock;

  constructor(asker: Asker, clock: Clock) {
    super([asker, clock]);
    this.#clock = clock;
  }

  get isLate(): boolean {
    return this.#clock.isGone;
  }
}

/** Gone when its time is over, unless the other one has gone before. */
class Clock implements Asker {
  readonly #asker: Asker;
  readonly #timeoutMs: number;
  #isOver = false;

  constructor(asker: Asker, timeoutMs: number) {
    this.#asker = asker;
    this.#timeoutMs = timeoutMs;
  }

  get isGone(): boolean {
    return this.#isOver;
  }

  onGone(act: () => void): () => void {
    const timer = setTimeout(() => {
      this.#isOver = !this.#asker.isGone;
      act();
    }, this.#timeoutMs);
    return () => clearTimeout(timer);
  }
}

/** For what waits by signals; where nothing has to wait, none is made. */
export function signalOf(asker: Asker): AbortSignal {
  const gone = new AbortController();
  if (asker.isGone) gone.abort();
  else asker.onGone(() => gone.abort());
  return gone.signal;
}
