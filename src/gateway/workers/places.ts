/**
 * Who may listen where. Workers share a listening socket through the main process, which opens it for the first that asks; this
 * table stands before that, for three things that the sharing does not know:
 *
 * - Of one import, all workers listen at one port, also where it had to be moved: the status and the DNS name one.
 * - Two imports whose ports were moved never get one place between them, in different workers.
 * - A place that somebody else has is found out here: a bind that fails in the shared socket of `node:cluster` is noticed in the worker
 *   only, and the main process would keep its half of it (Node 26.10, `lib/internal/cluster/primary.js`, `queryServer`).
 */
import { createServer } from 'node:net';
import { resetSocket } from '../../runtime/reset-socket.ts';
import type { Place } from './messages.ts';

export interface Places {
  /** Undefined: the place is this worker's too. Else the code of the kernel that says why it is not. */
  claim(worker: number, place: Place): Promise<string | undefined>;
  release(worker: number, place: Place): void;
  /** It is gone: its places are free, and what it has asked for it does not get. */
  forget(worker: number): void;
}

interface Claim {
  readonly worker: number;
  readonly place: Place;
  /** Its worker is gone: nobody would ever give back what it gets. */
  isVoid: boolean;
}

interface Held {
  readonly owner: string;
  readonly workers: Set<number>;
}

/** @param probe - Whether somebody else listens there: the code of the kernel, or undefined. */
export function makePlaces(probe: (place: Place) => Promise<string | undefined> = probePlace): Places {
  /** By address and port. */
  const held = new Map<string, Held>();
  /** By address and owner: where it is. */
  const homes = new Map<string, string>();
  /** Asked for, in order. */
  const tails = new Map<string, Promise<unknown>>();
  /** Those that are not decided yet. */
  const claims = new Set<Claim>();

  async function decide(claim: Claim): Promise<string | undefined> {
    if (claim.isVoid) return 'ECANCELED';
    const { worker, place } = claim;
    const id = placeOf(place);
    const present = held.get(id);
    if (present !== undefined) {
      if (present.owner !== place.owner || present.workers.has(worker)) return 'EADDRINUSE';
      present.workers.add(worker);
      return undefined;
    }
    // It has another place by now, in another worker.
    if (homes.has(homeOf(place))) return 'EADDRINUSE';
    const code = await probe(place);
    if (code !== undefined || claim.isVoid) return code ?? 'ECANCELED';
    held.set(id, { owner: place.owner, workers: new Set([worker]) });
    homes.set(homeOf(place), id);
    return undefined;
  }

  function drop(worker: number, place: Place): void {
    const id = placeOf(place);
    const present = held.get(id);
    if (present?.owner !== place.owner || !present.workers.delete(worker) || present.workers.size > 0) return;
    held.delete(id);
    homes.delete(homeOf(place));
  }

  return {
    claim(worker, place) {
      const claim: Claim = { worker, place, isVoid: false };
      claims.add(claim);
      // One decision at a time for each address: what one gets the next has to see.
      const answer = (tails.get(place.address) ?? Promise.resolve()).then(() => decide(claim));
      const tail = answer.finally(() => {
        claims.delete(claim);
        if (tails.get(place.address) === tail) tails.delete(place.address);
      });
      tails.set(place.address, tail);
      return answer;
    },
    release: drop,
    forget(worker) {
      for (const claim of claims) if (claim.worker === worker) claim.isVoid = true;
      for (const [id, { owner, workers }] of held) {
        const separator = id.lastIndexOf(' ');
        if (workers.has(worker)) {
          drop(worker, { address: id.slice(0, separator), port: Number(id.slice(separator + 1)), owner });
        }
      }
    },
  };
}

function placeOf({ address, port }: Place): string {
  return `${address} ${port}`;
}

function homeOf({ address, owner }: Place): string {
  return `${address} ${owner}`;
}

/** By listening there for a moment. */
function probePlace({ address, port }: Place): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => resetSocket(socket));
    server.once('error', (error: NodeJS.ErrnoException) => {
      server.close();
      resolve(error.code ?? error.message);
    });
    server.listen({ host: address, port, exclusive: true }, () => {
      server.close(() => resolve(undefined));
    });
  });
}
