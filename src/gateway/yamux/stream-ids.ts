/** Which stream ids are in use or used up: odd ones belong to the dialler, even ones to the acceptor. Pure. */
import { violation } from './frame.ts';
import { SKIPPED_IDS_MAX } from './limits.ts';

/** What a frame has room for. A session that has used up its half of them takes no more streams. */
export const STREAM_ID_MAX = 0xffff_ffff;

export type SessionRole = 'dialler' | 'acceptor';

/** The first id of either end; its next ones follow in steps of 2. */
export function firstStreamId(role: SessionRole): number {
  return role === 'dialler' ? 1 : 2;
}

export interface PeerStreamIds {
  /** Marks an id as used. @throws {AppError} `ERR_MALFORMED` for an id of our own, one used before, or one far ahead. */
  use(id: number): void;
  /** True for an id that the peer has opened, now or earlier. */
  isUsed(id: number): boolean;
}

/**
 * The ids that the peer may open. They rise, but those of parallel openers may arrive in another order, so the ids that
 * were skipped are remembered, and those alone may be opened late.
 */
export function makePeerStreamIds(peer: SessionRole): PeerStreamIds {
  const skipped = new Set<number>();
  let next = firstStreamId(peer);

  function skipTo(id: number): void {
    if ((id - next) / 2 > SKIPPED_IDS_MAX) throw violation(`stream ${id} opened when ${next} was due`);
    for (; next < id; next += 2) skipped.add(next);
    next = id + 2;
    for (const oldest of skipped) {
      if (skipped.size <= SKIPPED_IDS_MAX) break;
      skipped.delete(oldest);
    }
  }

  return {
    use(id) {
      if (id % 2 !== next % 2) throw violation(`stream ${id} opened, which is an id of this end`);
      if (id >= next) skipTo(id);
      else if (!skipped.delete(id)) throw violation(`stream ${id} opened twice`);
    },
    isUsed: (id) => id < next && !skipped.has(id),
  };
}
