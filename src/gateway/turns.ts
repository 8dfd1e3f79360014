/**
 * Spreads work that comes in bursts over turns of the event loop: a peer may put a thousand requests into one chunk of bytes, and
 * whatever else this process serves would wait for all of them. Those that wait are taken in rounds, one of each peer.
 */

export interface Turns {
  /** Resolves when it is this one's turn: at once, unless many were taken in this turn already. */
  take(peer: string): Promise<void>;
  readonly waiting: number;
}

export interface TurnsOptions {
  readonly perTurnMax: number;
  /** Calls it in the next turn. */
  nextTurn(run: () => void): void;
}

/** One for all: most have their turn at once. */
const NOW = Promise.resolve();

export function makeTurns({ perTurnMax, nextTurn }: TurnsOptions): Turns {
  /** By peer; as many as streams of it are open. */
  const queues = new Map<string, (() => void)[]>();
  let taken = 0;
  let waiting = 0;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    nextTurn(run);
  }

  function run(): void {
    isScheduled = false;
    taken = 0;
    while (waiting > 0 && taken < perTurnMax) takeRound();
    if (taken > 0) schedule();
  }

  /** One of each peer; who has had one goes to the end, for the next turn too. */
  function takeRound(): void {
    for (const [peer, queue] of [...queues]) {
      if (taken >= perTurnMax) return;
      queues.delete(peer);
      queue.shift()?.();
      if (queue.length > 0) queues.set(peer, queue);
      taken++;
      waiting--;
    }
  }

  return {
    take(peer) {
      schedule();
      if (waiting === 0 && taken < perTurnMax) {
        taken++;
        return NOW;
      }
      waiting++;
      return new Promise((resolve) => {
        const queue = queues.get(peer) ?? [];
        queue.push(resolve);
        queues.set(peer, queue);
      });
    },
    get waiting() {
      return waiting;
    },
  };
}
