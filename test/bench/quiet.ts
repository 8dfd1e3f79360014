/** Processes that have nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '#test/support/wait.ts';
import { cpuSecondsOf } from './proc.ts';

/** How long all of them together use no more than this share of a core. */
const QUIET_MS = 1_000;
const QUIET_SHARE = 0.15;
const QUIET_TIMEOUT_MS = 60_000;

/** @param who - for the error, when they never are. */
export async function whenQuiet(who: string, pids: readonly number[]): Promise<void> {
  await waitFor(
    `${who} are at rest`,
    async () => {
      const before = cpuSecondsOf(pids);
      await sleep(QUIET_MS);
      const busy = (cpuSecondsOf(pids) - before) / (QUIET_MS / 1_000);
      if (busy <= QUIET_SHARE) return true;
      throw new Error(`they use ${(busy * 100).toFixed(0)} % of a core`);
    },
    QUIET_TIMEOUT_MS,
  );
}
