/** A worker's parts of the bounds that all workers share: decided here at once, asked for ahead of use. Pure. See `ledger.ts`. */
import type { Share, Shares } from '../shares.ts';
import { floorOf, type LeaseAnswer, type LeaseRequest } from './ledger.ts';
import { WORKER_AHEAD_PARTS, WORKER_AHEAD_TIGHT_PARTS } from './limits.ts';

export interface Leases {
  readonly shares: Shares;
  answer(answer: LeaseAnswer): void;
  /** Others need what is not in use here. */
  tighten(key: string): void;
}

interface Lease extends Omit<Share, 'close'> {
  answer(leased: number): void;
  tighten(): void;
}

export function makeLeases(input: { readonly workers: number; post(request: LeaseRequest): void }): Leases {
  const { workers, post } = input;
  /** By bound: one at a time for each. */
  const leases = new Map<string, Lease & { readonly id: number }>();
  let last = 0;
  return {
    shares(key, boundMax) {
      const id = ++last;
      const lease = makeLease({ boundMax, workers, post: (wanted) => post({ id, key, boundMax, wanted }) });
      leases.set(key, { ...lease, id });
      return {
        get max() {
          return lease.max;
        },
        see: (used) => lease.see(used),
        close() {
          leases.delete(key);
          post({ id, key, boundMax, wanted: 0 });
        },
      };
    },
    answer({ id, key, leased }) {
      // What is under way to one that was closed is not for the next of that name.
      const lease = leases.get(key);
      if (lease?.id === id) lease.answer(leased);
    },
    tighten: (key) => leases.get(key)?.tighten(),
  };
}

function makeLease(input: { readonly boundMax: number; readonly workers: number; post(wanted: number): void }): Lease {
  const { boundMax, workers, post } = input;
  const floor = floorOf(boundMax, workers);
  const aheadMost = Math.ceil(boundMax / (WORKER_AHEAD_PARTS * workers));
  const aheadLeast = Math.ceil(boundMax / (WORKER_AHEAD_TIGHT_PARTS * workers));
  let ahead = aheadMost;
  let leased = 0;
  let used = 0;
  /** What the answer that is under way was asked for: one at a time, so that it never brings what was given back meanwhile. */
  let asked: number | undefined;

  function ask(wanted: number): void {
    asked = wanted;
    // What is given back is given back from here on.
    leased = Math.min(leased, wanted);
    post(wanted);
  }

  function look(): void {
    if (asked !== undefined) return;
    const room = floor + leased - used;
    const wanted = Math.max(0, used - floor + ahead);
    if ((room < ahead / 2 && wanted > leased) || (room > 2 * ahead && wanted < leased)) ask(wanted);
  }

  const lease: Lease = {
    get max() {
      return floor + leased;
    },
    see(now) {
      used = now;
      look();
    },
    answer(granted) {
      const isShort = asked !== undefined && granted < asked;
      asked = undefined;
      leased = granted;
      // While all want much nobody keeps much ahead; when there is enough again, as before.
      ahead = isShort ? aheadLeast : Math.min(aheadMost, 2 * ahead);
      // What there is none of is asked for again with the next one here: others may have given back meanwhile.
      if (!isShort) look();
    },
    tighten() {
      ahead = aheadLeast;
      look();
    },
  };
  look();
  return lease;
}
