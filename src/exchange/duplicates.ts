/**
 * Two installations that claim the name of one peer (DESIGN §6). Pure: which epochs were seen when.
 *
 * An installation that lost its state and was made again is seen after the old one, and the old one never again. Two that both
 * live are connected together for longer than a dead session lasts, or come back in turns.
 */
import { DUPLICATE_OVERLAP_MS, DUPLICATE_QUIET_MS, EPOCHS_REMEMBERED_MAX } from './limits.ts';

interface Sighting {
  /** When it was connected anew, after not being so. */
  readonly appearedMs: number;
  /** When it was connected last. */
  readonly lastMs: number;
}

export interface Sightings {
  /** By epoch. */
  readonly seen: ReadonlyMap<string, Sighting>;
  readonly connected: ReadonlySet<string>;
  /** Two installations, as far as one can know. */
  readonly isDuplicate: boolean;
}

export const NOBODY_SEEN: Sightings = { seen: new Map(), connected: new Set(), isDuplicate: false };

/**
 * @param connected - epochs of the sessions that are open now. To be told on every change, and when {@link nextSightMs} has come.
 * @param nowMs - monotonic, or nearly.
 */
export function sight(before: Sightings, connected: Iterable<string>, nowMs: number): Sightings {
  const now = new Set(connected);
  // Of a clock that was set back: what lies ahead is now.
  const seen = new Map(
    [...before.seen].map(([epoch, { appearedMs, lastMs }]) => [
      epoch,
      { appearedMs: Math.min(appearedMs, nowMs), lastMs: Math.min(lastMs, nowMs) },
    ]),
  );
  let isDuplicate = before.isDuplicate;
  for (const epoch of before.connected) seen.set(epoch, { appearedMs: nowMs, ...seen.get(epoch), lastMs: nowMs });
  for (const epoch of now) {
    if (before.connected.has(epoch)) continue;
    isDuplicate ||= hasReturned(seen, epoch, nowMs);
    seen.delete(epoch);
    seen.set(epoch, { appearedMs: nowMs, lastMs: nowMs });
  }
  isDuplicate ||= now.size > 1 && nowMs - latestAppearanceMs(seen, now) >= DUPLICATE_OVERLAP_MS;
  const rivals = [...seen.values()].filter(({ lastMs }) => nowMs - lastMs < DUPLICATE_QUIET_MS);
  if (rivals.length < 2) isDuplicate = false;
  // The one that appeared longest ago is the first to be forgotten.
  for (const epoch of seen.keys()) if (seen.size > EPOCHS_REMEMBERED_MAX && !now.has(epoch)) seen.delete(epoch);
  return { seen, connected: now, isDuplicate };
}

/** Nothing that is said counts: also in the moment in which it is not known yet whether two live or one has taken over. */
export function isFrozen({ connected, isDuplicate }: Sightings): boolean {
  return isDuplicate || connected.size > 1;
}

/** Those that are there, or were of late, sorted: who is meant by a duplicate. */
export function rivalsOf({ seen, connected }: Sightings, nowMs: number): string[] {
  const rivals = [...seen].filter(([epoch, { lastMs }]) => connected.has(epoch) || nowMs - lastMs < DUPLICATE_QUIET_MS);
  return rivals.map(([epoch]) => epoch).sort();
}

/** When to look again although nothing has changed; undefined when there is no cause. */
export function nextSightMs({ seen, connected, isDuplicate }: Sightings, nowMs: number): number | undefined {
  if (!isDuplicate) return connected.size > 1 ? latestAppearanceMs(seen, connected) + DUPLICATE_OVERLAP_MS : undefined;
  const lastMs = [...seen]
    .map(([epoch, sighting]) => (connected.has(epoch) ? nowMs : sighting.lastMs))
    .sort((a, b) => b - a);
  // It ends when only one of them was there for the time: the last but one decides.
  return (lastMs[1] ?? nowMs) + DUPLICATE_QUIET_MS;
}

/** Another one has appeared since this one did, and lately: they take turns. */
function hasReturned(seen: ReadonlyMap<string, Sighting>, epoch: string, nowMs: number): boolean {
  const earlier = seen.get(epoch);
  if (earlier === undefined || nowMs - earlier.lastMs > DUPLICATE_QUIET_MS) return false;
  return [...seen.values()].some(
    ({ appearedMs, lastMs }) => appearedMs > earlier.appearedMs && nowMs - lastMs <= DUPLICATE_QUIET_MS,
  );
}

function latestAppearanceMs(seen: ReadonlyMap<string, Sighting>, connected: ReadonlySet<string>): number {
  return Math.max(...[...connected].map((epoch) => seen.get(epoch)?.appearedMs ?? -Infinity));
}
