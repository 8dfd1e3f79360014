/**
 * Which link of a peer a new stream takes. Asked for every connection, so that nothing is made and nothing is sorted: one walk over
 * the links, oldest first. Pure.
 *
 * The nearer one, where one that carries bulk counts as farther by the queue which that makes. Between two that lead the same way, whose
 * round trips differ by chance, the one that is not loaded; of several such the oldest, so that the newer ones are empty when the
 * load is gone; of loaded ones that with fewer streams.
 */
import type { PeerLink } from './link.ts';
import type { PeerSession } from './session.ts';
import { isLoaded } from './wanted-sessions.ts';
import { IN_FLIGHT_QUEUE_MS, IN_FLIGHT_ROUND_TRIPS } from './yamux/limits.ts';

export interface LinkQuery {
  /** None of these. */
  readonly tried?: ReadonlySet<PeerLink> | undefined;
  readonly form?: PeerLink['form'] | undefined;
  /** They have seen a stream without an answer: others come before them. Usually there is none. */
  readonly passedOver: { readonly size: number; has(link: PeerLink): boolean };
}

/** Undefined where none takes streams. One that is full only where all are. */
export function nearestLink(links: readonly PeerLink[], query: LinkQuery): PeerLink | undefined {
  const { tried, form } = query;
  let best: PeerLink | undefined;
  for (const link of links) {
    if (link.draining || (form !== undefined && link.form !== form) || tried?.has(link) === true) continue;
    if (best === undefined || isBetter(link, best, query)) best = link;
  }
  return best;
}

/** All that take streams, in that order. */
export function linksInOrder(links: readonly PeerLink[], query: LinkQuery): PeerLink[] {
  const seen = new Set(query.tried);
  const ordered: PeerLink[] = [];
  for (;;) {
    const next = nearestLink(links, { ...query, tried: seen });
    if (next === undefined) return ordered;
    seen.add(next);
    ordered.push(next);
  }
}

function isBetter(link: PeerLink, best: PeerLink, { passedOver }: LinkQuery): boolean {
  if (link.full !== best.full) return best.full;
  if (passedOver.size > 0 && passedOver.has(link) !== passedOver.has(best)) return passedOver.has(best);
  if (link.form !== 'session' || best.form !== 'session') return costOf(link) < costOf(best);
  // One whose first ping was not answered yet may be one that the other end is about to refuse.
  const isKnown = link.rttMs !== undefined && best.rttMs !== undefined;
  if (!isKnown || !isSameWay(link, best)) return costOf(link) < costOf(best);
  const loaded = isLoaded(link);
  if (loaded !== isLoaded(best)) return !loaded;
  return loaded && link.streams < best.streams;
}

/** Between the same processes and addresses, whoever dialled. */
function isSameWay(a: PeerSession, b: PeerSession): boolean {
  if (a.hello.instance !== b.hello.instance || a.ends === undefined || b.ends === undefined) return false;
  return a.ends.remote.address === b.ends.remote.address && a.ends.local.address === b.ends.local.address;
}

function costOf(link: PeerLink): number {
  const rttMs = link.rttMs ?? Number.MAX_SAFE_INTEGER;
  return link.form === 'session' && link.busy ? IN_FLIGHT_ROUND_TRIPS * rttMs + IN_FLIGHT_QUEUE_MS : rttMs;
}
