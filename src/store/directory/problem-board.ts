/** What is wrong with the manifests now, and who wants to hear of it. */
import { sameJson, toJson } from '../json.ts';
import { PROBLEMS_MAX } from '../limits.ts';
import { callSafely } from '../watchers.ts';
import type { StoreLogger } from './logger.ts';
import type { Problem } from './manifest-types.ts';

export interface ProblemBoard {
  problems(): readonly Problem[];
  /** Calls back whenever the problems change; the result stops it. */
  onProblems(listener: (problems: readonly Problem[]) => void): () => void;
  show(problems: readonly Problem[]): void;
}

export function makeProblemBoard(logger: StoreLogger): ProblemBoard {
  const listeners = new Set<{ readonly call: (problems: readonly Problem[]) => void }>();
  let shown: readonly Problem[] = [];
  return {
    problems: () => shown,
    onProblems(listener) {
      const entry = { call: listener };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    show(all) {
      const next = bounded(all);
      if (sameJson(toJson(shown), toJson(next))) return;
      shown = next;
      logger.info({ problems: all.length }, 'Problems of the manifests changed');
      for (const { call } of [...listeners]) callSafely(() => call(next));
    },
  };
}

function bounded(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= PROBLEMS_MAX) return Object.freeze([...problems]);
  const more: Problem = {
    file: '.',
    line: 1,
    column: 1,
    message: `${problems.length - PROBLEMS_MAX} more problems are not shown`,
    fix: 'Solve the others first.',
    severity: 'error',
  };
  return Object.freeze([...problems.slice(0, PROBLEMS_MAX), more]);
}
