/** What another set of policies would make of the connections that are open, and of those refused of late. Nothing is cut. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FORESEE_TIMEOUT_MS, FORESEEN_PER_TURN_MAX, FORESEEN_TOLD_MAX } from './limits.ts';
import type { ForeseenCut, Foresight } from './messages.ts';
import type { Routes } from './routes.ts';
import type { Tunnel, TunnelTable } from './tunnels.ts';

export interface ForeseeOptions {
  readonly table: Pick<TunnelTable, 'open' | 'refused'>;
  /** What decides now. */
  readonly present: Routes;
  /** The same with the other policies. */
  readonly next: Routes;
  /** Monotonic, in ms; tests set it. */
  readonly nowMs?: () => number;
}

/** Asks each connection what it is asked when policies really change; in turns, for there may be thousands of both. */
export async function foresee(options: ForeseeOptions): Promise<Foresight> {
  const { table, present, next, nowMs = () => performance.now() } = options;
  const open = table.open();
  const refused = table.refused();
  const overMs = nowMs() + FORESEE_TIMEOUT_MS;
  const cuts: ForeseenCut[] = [];
  let asked = 0;
  let cutsTotal = 0;
  while (asked < open.length && nowMs() < overMs) {
    for (const tunnel of open.slice(asked, asked + FORESEEN_PER_TURN_MAX)) {
      asked++;
      const cut = foreseeCut(tunnel, next);
      if (cut === undefined) continue;
      cutsTotal++;
      if (cuts.length < FORESEEN_TOLD_MAX) cuts.push(cut);
    }
    await nextTurn();
  }
  const admissions = refused.filter(({ isAllowed }) => !isAllowed(present) && isAllowed(next));
  return {
    open: open.length,
    cuts,
    cutsTotal,
    unasked: open.length - asked,
    admissions: admissions.map(({ subject }) => subject),
  };
}

function foreseeCut(tunnel: Tunnel, next: Routes): ForeseenCut | undefined {
  const revocation = tunnel.recheck(next);
  if (revocation === undefined) return undefined;
  const { client } = tunnel;
  const { connection, direction, object, peer } = tunnel.subject;
  return { connection, direction, object, peer, ...(client === undefined ? {} : { client }), ...revocation };
}
