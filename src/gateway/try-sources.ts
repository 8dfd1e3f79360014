/**
 * Tries an import's sources in turn for one connection, until one is open; or until one may have had bytes of the client, and cannot be
 * asked whether it has: then no other is tried (early-bytes.ts).
 *
 * A source is given little time while others are left, and the first that needed more, for its answer or for its turn to be
 * asked, gets it in the end, when those others have failed: a slow one is better than none.
 */
import { REASONS } from '../api/reasons.ts';
import type { AttemptFailure, Ejections, Trial } from './ejection.ts';
import { ANSWER_TIMEOUT_MS, SOURCES_PER_CONNECTION_MAX, SWITCH_AFTER_MS } from './limits.ts';
import type { RouteSource } from './messages.ts';

export type SourceFailure = AttemptFailure & {
  readonly ok: false;
  /** Bytes of the client may have been delivered. */
  readonly spent?: boolean;
};

export interface TrySourcesOptions<Opened> {
  /** In the order in which they are tried. */
  readonly sources: readonly RouteSource[];
  readonly ejections: Ejections;
  /** Whether the client may use it by the rules of this side: others are no alternative. */
  mayTry(source: RouteSource): boolean;
  /** Opens it, or says why not; `overdue` when it took longer than this. */
  open(source: RouteSource, timeoutMs: number): Promise<Opened | SourceFailure>;
  /** Whether the client has left. */
  isGone(): boolean;
}

export type SourceOutcome<Opened> =
  | { readonly ok: true; readonly source: RouteSource; readonly attempt: Opened }
  | (SourceFailure & { readonly peer: string });

/** The first that opens; else the failure that says most, and whose it was. */
export async function trySources<Opened extends { readonly ok: true }>(
  options: TrySourcesOptions<Opened>,
): Promise<SourceOutcome<Opened>> {
  const { sources, ejections, mayTry, open, isGone } = options;
  const message = 'No source can be used now.';
  let failure: Extract<SourceOutcome<Opened>, { ok: false }> = {
    ...{ ok: false, reason: REASONS.NoUsableSource, message },
    peer: '',
  };
  let tried = 0;
  /** The first that was late after the short time; those that are ejected come last. */
  let slow: RouteSource | undefined;
  let hasWaitedLong = false;

  const isInUse = (source: RouteSource): boolean => ejections.standingOf(source) === 'in-use';

  function settle(trial: Trial, source: RouteSource, attempt: Opened | SourceFailure): void {
    if (attempt.ok) return trial.succeeded();
    if (isGone()) return trial.dropped();
    trial.failed(
      attempt,
      sources.some((other) => other !== source && isInUse(other) && mayTry(other)),
    );
  }

  let index = 0;
  for (const source of sources) {
    index++;
    const wasInUse = isInUse(source);
    const hasNext =
      index < sources.length && tried + 1 < SOURCES_PER_CONNECTION_MAX && sources.slice(index).some(mayTry);
    const isShort = hasNext || (!wasInUse && slow !== undefined);
    const trial = ejections.begin(source);
    const attempt = await open(source, isShort ? SWITCH_AFTER_MS : ANSWER_TIMEOUT_MS);
    settle(trial, source, attempt);
    if (attempt.ok) return { ok: true, source, attempt };
    if (attempt.spent === true) return { ...attempt, peer: source.peer };
    const isDenied = attempt.reason === REASONS.EgressDenied || attempt.reason === REASONS.ClientUnknown;
    // A source that is denied here costs nothing, and says less than one that was tried.
    if (!isDenied) tried++;
    if (!isDenied || failure.peer === '') failure = { ...attempt, peer: source.peer };
    const isLate = attempt.overdue === true || attempt.unasked === true;
    if (isLate && isShort) slow ??= source;
    if (isLate && !isShort) hasWaitedLong = true;
    if (isGone() || tried >= SOURCES_PER_CONNECTION_MAX) break;
  }
  if (slow === undefined || hasWaitedLong || isGone()) return failure;
  const trial = ejections.begin(slow);
  const attempt = await open(slow, ANSWER_TIMEOUT_MS);
  settle(trial, slow, attempt);
  return attempt.ok ? { ok: true, source: slow, attempt } : { ...attempt, peer: slow.peer };
}
