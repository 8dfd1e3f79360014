/**
 * Which sources are passed over for now, by what became of the connections that tried them: pure, with a clock given.
 *
 *                 failures in a row, or one answer overdue             its time is over
 *   in use ─────────────────────────────────────────────▶ ejected ─────────────────────▶ due
 *     ▲                                                      ▲                            │ one connection tries it
 *     │                                                      └── fails: twice the time ── probed
 *     └────────────────────────────── any success ─────────────────────────────────────────┘
 *
 * Ejected is no more than put last: where all others fail it is tried all the same, and without another source that is in use
 * none is ejected. So nothing that could be served is refused for what happened before.
 */
import { REASONS, type Reason } from '../api/reasons.ts';
import { formatSource, type SourceKey } from '../api/record.ts';
import { EJECT_AFTER_FAILURES, EJECTED_MAX_MS, EJECTED_MIN_MS, SUSPECTS_MAX } from './limits.ts';

/** `due`: the next connection may try whether it is well again. */
export type Standing = 'in-use' | 'ejected' | 'due';

export interface AttemptFailure {
  readonly reason: Reason;
  readonly message: string;
  /** No answer in the time that it was given. */
  readonly overdue?: boolean;
  /** It was not asked in that time: other connections were before this one. That says nothing of the source. */
  readonly unasked?: boolean;
}

/** One connection's try at a source. What is called first counts. */
export interface Trial {
  succeeded(): void;
  /** @param hasOther - whether the connection has another source that is in use. */
  failed(failure: AttemptFailure, hasOther: boolean): void;
  /** It says nothing of the source: the client left, or may not. */
  dropped(): void;
}

/** That a source is ejected, or, without a reason, that it is so no more. */
export interface EjectionChange {
  readonly source: SourceKey;
  readonly ejected?: { readonly reason: Reason; readonly message: string };
}

export interface Ejections {
  standingOf(source: SourceKey): Standing;
  begin(source: SourceKey): Trial;
  /** Forgets all others. */
  retain(sources: ReadonlySet<string>): void;
  /** A peer that was out of reach and is back may be well: its sources are due at once. */
  seeReachable(peers: ReadonlySet<string>): void;
  /** Sources of which something is kept. */
  readonly size: number;
}

export interface EjectionOptions {
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** The name of this peer: it is never out of reach. */
  readonly self: string;
  onChange(change: EjectionChange): void;
}

interface Ejection {
  untilMs: number;
  waitMs: number;
  /** The trial that may bring it back. */
  probe: Trial | undefined;
  /** Its peer was out of reach meanwhile. */
  wasAway: boolean;
}

/** What is kept of a source whose last trial failed. */
interface Suspect {
  readonly source: SourceKey;
  failures: number;
  ejection: Ejection | undefined;
}

/** A denial speaks of the client, an overload of the moment. */
const OF_THE_SOURCE: ReadonlySet<Reason> = new Set([
  REASONS.PeerUnreachable,
  REASONS.DialFailed,
  REASONS.NoUsableSource,
  REASONS.TargetForbidden,
  REASONS.Malformed,
  REASONS.EarlyBytesSpent,
]);

export function makeEjections({ now, self, onChange }: EjectionOptions): Ejections {
  /** By source, the one that failed least recently first. */
  const suspects = new Map<string, Suspect>();

  function standingOf(source: SourceKey): Standing {
    if (suspects.size === 0) return 'in-use';
    const ejection = suspects.get(formatSource(source))?.ejection;
    if (ejection === undefined) return 'in-use';
    return ejection.probe === undefined && now() >= ejection.untilMs ? 'due' : 'ejected';
  }

  function forget(id: string): void {
    if (suspects.size === 0) return;
    const suspect = suspects.get(id);
    suspects.delete(id);
    if (suspect?.ejection !== undefined) onChange({ source: suspect.source });
  }

  function fail(trial: Trial, source: SourceKey, failure: AttemptFailure, hasOther: boolean): void {
    const id = formatSource(source);
    const { peer, namespace, name } = source;
    const suspect = suspects.get(id) ?? { source: { peer, namespace, name }, failures: 0, ejection: undefined };
    suspects.delete(id);
    suspects.set(id, suspect);
    // Only the probe counts against one that is ejected: those that were on their way say again what is known.
    if (suspect.ejection !== undefined) {
      if (suspect.ejection.probe === trial) extend(suspect.ejection);
      return;
    }
    suspect.failures++;
    if (hasOther && (failure.overdue === true || suspect.failures >= EJECT_AFTER_FAILURES)) {
      const waitMs = EJECTED_MIN_MS;
      suspect.ejection = { untilMs: now() + waitMs, waitMs, probe: undefined, wasAway: false };
      onChange({ source: suspect.source, ejected: { reason: failure.reason, message: failure.message } });
    }
    const [oldest] = suspects.keys();
    if (suspects.size > SUSPECTS_MAX && oldest !== undefined) forget(oldest);
  }

  function extend(ejection: Ejection): void {
    ejection.waitMs = Math.min(EJECTED_MAX_MS, 2 * ejection.waitMs);
    ejection.untilMs = now() + ejection.waitMs;
    ejection.probe = undefined;
  }

  function begin(source: SourceKey): Trial {
    let isOver = false;
    const once = (act: () => void): void => {
      if (isOver) return;
      isOver = true;
      act();
    };
    const trial: Trial = {
      succeeded: () => once(() => forget(formatSource(source))),
      failed(failure, hasOther) {
        if (OF_THE_SOURCE.has(failure.reason)) once(() => fail(trial, source, failure, hasOther));
        else trial.dropped();
      },
      dropped: () =>
        once(() => {
          const ejection = suspects.get(formatSource(source))?.ejection;
          if (ejection?.probe === trial) ejection.probe = undefined;
        }),
    };
    if (standingOf(source) !== 'due') return trial;
    const ejection = suspects.get(formatSource(source))?.ejection;
    if (ejection !== undefined) ejection.probe = trial;
    return trial;
  }

  return {
    standingOf,
    begin,
    retain(sources) {
      for (const id of suspects.keys()) if (!sources.has(id)) forget(id);
    },
    seeReachable(peers) {
      for (const { source, ejection } of suspects.values()) {
        if (ejection === undefined) continue;
        const isAway = source.peer !== self && !peers.has(source.peer);
        if (ejection.wasAway && !isAway) ejection.untilMs = now();
        ejection.wasAway = isAway;
      }
    },
    get size() {
      return suspects.size;
    },
  };
}
