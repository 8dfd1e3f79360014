/**
 * When a new gateway may count as ready: endpoints lead to a gateway for an import once it has said that it listens, and a
 * rolling update takes the next old one away when this one is ready. Ready any sooner, and an import could be without any.
 */
import { setTimeout as passed } from 'node:timers/promises';
import type { IImportBinding } from '../../../api/generated/ImportBinding.ts';
import { readyGateways } from '../../../controllers/endpoints/gateways.ts';
import type { CachesOf } from '../../../store/caches.ts';

/** Between two looks at what the replicas have said. */
const ANNOUNCE_POLL_MS = 250;
/** A new replica that does not reach what others do, over a path of its node, is ready all the same after this time. */
const ANNOUNCE_TIMEOUT_MS = 60_000;

export interface Announcement {
  /** Imports that a ready replica says it listens for. */
  readonly due: number;
  /** Those of them of which this one has said as much. */
  readonly told: number;
}

/** Compares what the replicas have said of imports. @param others - names of pods. */
export function compareAnnounced(
  bindings: readonly IImportBinding[],
  { own, others }: { readonly own: string; readonly others: ReadonlySet<string> },
): Announcement {
  let [due, told] = [0, 0];
  for (const { status } of bindings) {
    const gateways = status?.gateways ?? [];
    const theirs = new Set(gateways.filter(({ name }) => others.has(name)).flatMap(({ listening }) => listening));
    if (theirs.size === 0) continue;
    due++;
    const ours = new Set(gateways.find(({ name }) => name === own)?.listening);
    if ([...theirs].every((port) => ours.has(port))) told++;
  }
  return { due, told };
}

/**
 * Resolves when this replica has said of every import what ready replicas say, as the API server tells it back; or after
 * {@link ANNOUNCE_TIMEOUT_MS}, since fewer imports served are better than none: told is then less than due. Ends early when the
 * signal says so.
 */
export async function whenAnnounced(options: {
  readonly caches: CachesOf<'ImportBinding' | 'Pod'>;
  /** Name of this pod. */
  readonly own: string;
  readonly signal: AbortSignal;
  onProgress(announcement: Announcement): void;
}): Promise<Announcement> {
  const { caches, own, signal, onProgress } = options;
  const untilMs = performance.now() + ANNOUNCE_TIMEOUT_MS;
  for (;;) {
    const names = readyGateways(caches.Pod.list()).map(({ name }) => name);
    const others = new Set(names.filter((name) => name !== own));
    const announcement = compareAnnounced(caches.ImportBinding.list(), { own, others });
    const isOver = signal.aborted || performance.now() > untilMs;
    if (announcement.told === announcement.due || isOver) return announcement;
    onProgress(announcement);
    await passed(ANNOUNCE_POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}
