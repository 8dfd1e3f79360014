/** What several workers see, as one gateway says it. Pure. */
import type { ImportBindingStatusListener } from '../../api/generated/ImportBinding.ts';
import { compareText } from '../../api/object.ts';
import { formatSource } from '../../api/record.ts';
import { FORESEEN_TOLD_MAX, REFUSED_KEPT_MAX } from '../limits.ts';
import type { Foresight, ImportObservation, LimitsReport, PeerObservation } from '../messages.ts';
import type { LimitUsage } from '../peer-bounds.ts';

/**
 * Reachable when it is to any: sessions are counted together, and what a session says is the first's that has one.
 *
 * @param observations - of one peer, at least one, of each worker its last.
 */
export function mergePeers(observations: readonly [PeerObservation, ...PeerObservation[]]): PeerObservation {
  const sessions = observations.reduce((sum, one) => sum + one.sessions, 0);
  const reached = observations.filter(({ version }) => version !== undefined);
  const [first = observations.at(-1) ?? observations[0]] = reached;
  const epochs = [...new Set(reached.flatMap((one) => one.epochs ?? []))].sort(compareText);
  // Those of the first are among them.
  return { ...first, sessions, ...(epochs.length === 0 ? {} : { epochs }) };
}

/**
 * A listener is where any worker has it: the others have none while they have no session with a source, and those that have one
 * accept for all. A source can be used when a worker can use it.
 *
 * @param observations - of one import, of each worker its last, that of the newest snapshot last.
 */
export function mergeImports(observations: readonly [ImportObservation, ...ImportObservation[]]): ImportObservation {
  const newest = observations.at(-1) ?? observations[0];
  const listeners = newest.listeners.map((listener) =>
    observations
      .flatMap((one) => one.listeners.filter((other) => isSamePlace(other, listener)))
      .reduce((best, other) => (RANKS[other.state] > RANKS[best.state] ? other : best), listener),
  );
  const sources = newest.sources.map((source) => {
    const id = formatSource(source);
    const views = observations.flatMap((one) => one.sources.filter((other) => formatSource(other) === id));
    return views.find(({ usable }) => usable) ?? source;
  });
  return { key: newest.key, listeners, sources };
}

/** That it could not be had by one says more than that another does not want it. */
const RANKS: Readonly<Record<ImportBindingStatusListener['state'], number>> = { Listening: 2, Failed: 1, Closed: 0 };

function isSamePlace(a: ImportBindingStatusListener, b: ImportBindingStatusListener): boolean {
  return a.address === b.address && a.port === b.port;
}

/** Bounds that the workers have together: each says how much of all it uses. Of others each has its own. */
const SHARED: ReadonlySet<string> = new Set(['streams']);

/**
 * Memory is a sum. Of a bound that each worker has for itself, how near it is, is how near the nearest is. What was refused since the
 * last report is that of the one which reports now.
 *
 * @param others - what the other workers reported last.
 */
export function mergeLimits(now: LimitsReport, others: readonly LimitsReport[]): LimitsReport {
  const usages = new Map<string, LimitUsage>(now.usages.map((usage) => [idOf(usage), usage]));
  const bytes = new Map(now.bufferedBytes);
  for (const { usages: theirs, bufferedBytes } of others) {
    for (const usage of theirs) {
      const present = usages.get(idOf(usage)) ?? { ...usage, ratio: 0, refused: 0 };
      const ratio = SHARED.has(usage.limit) ? present.ratio + usage.ratio : Math.max(present.ratio, usage.ratio);
      usages.set(idOf(usage), { ...present, ratio });
    }
    for (const [peer, held] of bufferedBytes) bytes.set(peer, (bytes.get(peer) ?? 0) + held);
  }
  const bufferedBytesTotal = others.reduce((sum, other) => sum + other.bufferedBytesTotal, now.bufferedBytesTotal);
  return { usages: [...usages.values()], bufferedBytes: [...bytes], bufferedBytesTotal };
}

function idOf({ limit, peer }: LimitUsage): string {
  return `${limit} ${peer}`;
}

export function mergeForesights(answers: readonly Foresight[]): Foresight {
  const sum = (pick: (one: Foresight) => number): number => answers.reduce((so, one) => so + pick(one), 0);
  return {
    open: sum(({ open }) => open),
    cuts: answers.flatMap(({ cuts }) => cuts).slice(0, FORESEEN_TOLD_MAX),
    cutsTotal: sum(({ cutsTotal }) => cutsTotal),
    unasked: sum(({ unasked }) => unasked),
    admissions: answers.flatMap(({ admissions }) => admissions).slice(0, REFUSED_KEPT_MAX),
  };
}
