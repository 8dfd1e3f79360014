/**
 * The pairs that are measured. A gateway lives for weeks, and so do these for as long as the benchmark: each is started once, and works
 * before it is measured for the first time.
 */
import { existsSync } from 'node:fs';
import { doInTurns, type Bench, type Measure, type Work } from './measures.ts';
import type { SystemName } from './keys.ts';
import { startPair, type RunningPair, type System } from './system.ts';

export interface Pairs {
  /**
   * Does it with the pair of this system, or with one of its own where the measure asks for a fresh one, or the system works when
   * nothing goes through it. Rejects when it fails, or when no pair can be started.
   */
  use<T>(
    of: { readonly system: System; readonly measure: Measure },
    act: (pair: RunningPair) => Promise<T>,
  ): Promise<T>;
  end(): Promise<void>;
}

/** @param measures - all that there will be: the pairs are warmed up for them. */
export function makePairs(bench: Bench, measures: readonly Measure[]): Pairs {
  const kept = new Map<SystemName, RunningPair>();
  /** Why: they are not tried again, since each try takes its whole deadline. */
  const unstartable = new Map<SystemName, unknown>();
  const works = [...new Set(measures.flatMap(({ pair, work }) => (pair === 'warm' ? work : [])))];

  async function start(system: System, warmUp: { works: readonly Work[]; turns: number }): Promise<RunningPair> {
    if (unstartable.has(system.name)) throw unstartable.get(system.name);
    const pair = await startPair(system, bench.stage).catch((error: unknown) => {
      unstartable.set(system.name, error);
      throw error;
    });
    try {
      await doInTurns(bench, pair, warmUp);
      return pair;
    } catch (error) {
      await pair.end();
      throw error;
    }
  }

  async function keptOf(system: System): Promise<RunningPair> {
    const present = kept.get(system.name);
    if (present?.pids.every((pid) => existsSync(`/proc/${pid}`)) === true) return present;
    kept.delete(system.name);
    await present?.end();
    const pair = await start(system, { works, turns: bench.warmUpTurns });
    kept.set(system.name, pair);
    return pair;
  }

  return {
    async use({ system, measure }, act) {
      if (measure.pair === 'warm' && system.restless !== true) return act(await keptOf(system));
      const pair = await start(system, { works: measure.work, turns: Math.min(1, bench.warmUpTurns) });
      return act(pair).finally(() => pair.end());
    },
    async end() {
      await Promise.all([...kept.values()].map((pair) => pair.end()));
    },
  };
}
