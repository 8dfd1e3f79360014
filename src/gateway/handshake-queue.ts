/**
 * Callers that wait for their handshake, in order, where one place after the other comes free: a thousand clients of a ClusterLink
 * peer that connect at once are a thousand handshakes, and some may begin at a time. Only callers from known addresses wait
 * (`handshake-rate.ts`), those of each neighbourhood in a row of its own.
 */
import { prefixOf, type HandshakeLimit, type HandshakeRate, type HandshakeVerdict } from './handshake-rate.ts';
import { HANDSHAKE_WAIT_MS, HANDSHAKES_WAITING_MAX, HANDSHAKES_WAITING_PER_PREFIX_MAX } from './limits.ts';

export interface HandshakeCaller {
  readonly address: string;
  /** Its handshake may begin: at once, or later. */
  start(place: Pick<Extract<HandshakeVerdict, { ok: true }>, 'proved' | 'done'>): void;
  /** It may not: at once, or when it has waited long enough. */
  refuse(limit: HandshakeLimit): void;
  /** Ends the handshake that has begun, for another caller. */
  yieldPlace(): void;
}

export interface HandshakeQueue {
  /** The result is called when the caller is gone: it waits no more. */
  enter(caller: HandshakeCaller): () => void;
  readonly waiting: number;
  close(): void;
}

export interface HandshakeQueueOptions {
  readonly rate: Pick<HandshakeRate, 'admit' | 'isKnown'>;
  readonly now: () => number;
  /** Calls it again and again until the result is called; tests set it. */
  readonly every?: (run: () => void, ms: number) => () => void;
}

interface Waiter {
  readonly caller: HandshakeCaller;
  readonly untilMs: number;
}

/** Between two looks while somebody waits: a place that comes free is taken at once, but a rate that has recovered tells nobody. */
const LOOK_MS = 20;

export function makeHandshakeQueue({ rate, now, every = everyInterval }: HandshakeQueueOptions): HandshakeQueue {
  /** By prefix, none of them empty. */
  const rows = new Map<string, Set<Waiter>>();
  let waiting = 0;
  let stopLooking: (() => void) | undefined;
  /** To start one may end another, at once. */
  let isLooking = false;

  /** Begins it, or says why not yet. */
  function tryStart(caller: HandshakeCaller): Extract<HandshakeVerdict, { ok: false }> | undefined {
    const verdict = rate.admit(caller.address, () => caller.yieldPlace());
    if (!verdict.ok) return verdict;
    const done = (): void => {
      verdict.done();
      look();
    };
    caller.start({ proved: verdict.proved, done });
    return undefined;
  }

  function remove(prefix: string, waiter: Waiter): void {
    const row = rows.get(prefix);
    if (row?.delete(waiter) !== true) return;
    waiting--;
    if (row.size === 0) rows.delete(prefix);
    if (waiting > 0) return;
    stopLooking?.();
    stopLooking = undefined;
  }

  /** One of each row as long as that begins something: no row is served before the others. */
  function look(): void {
    if (isLooking) return;
    isLooking = true;
    const open = new Map(rows);
    while (open.size > 0) {
      for (const [prefix, row] of open) if (!serveOne(prefix, row)) open.delete(prefix);
    }
    isLooking = false;
  }

  /** False: nobody else of this row can begin now. */
  function serveOne(prefix: string, row: ReadonlySet<Waiter>): boolean {
    const [waiter] = row;
    if (waiter === undefined) return false;
    const verdict = tryStart(waiter.caller);
    if (verdict !== undefined && verdict.mayWait && now() < waiter.untilMs) return false;
    remove(prefix, waiter);
    if (verdict !== undefined) waiter.caller.refuse(verdict.limit);
    return true;
  }

  return {
    enter(caller) {
      const prefix = prefixOf(caller.address);
      const row = rows.get(prefix) ?? new Set<Waiter>();
      // None of those who may wait overtakes another; strangers have a rate of their own, and no row.
      const verdict = row.size > 0 && rate.isKnown(caller.address) ? BEHIND_OTHERS : tryStart(caller);
      if (verdict === undefined) return () => undefined;
      const isFull = row.size >= HANDSHAKES_WAITING_PER_PREFIX_MAX || waiting >= HANDSHAKES_WAITING_MAX;
      if (!verdict.mayWait || isFull) {
        caller.refuse(verdict.limit);
        return () => undefined;
      }
      const waiter: Waiter = { caller, untilMs: now() + HANDSHAKE_WAIT_MS };
      rows.set(prefix, row.add(waiter));
      waiting++;
      stopLooking ??= every(look, LOOK_MS);
      return () => remove(prefix, waiter);
    },
    get waiting() {
      return waiting;
    },
    close() {
      stopLooking?.();
      rows.clear();
      waiting = 0;
    },
  };
}

const BEHIND_OTHERS = { ok: false, limit: 'handshakes_per_prefix', mayWait: true } as const;

function everyInterval(run: () => void, ms: number): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}
