/** Fuzzing that is led by coverage: an input that goes where none went before is one to go on from. */
import { makeRandom } from '#test/chaos/random.ts';
import { openCoverage } from './coverage.ts';
import { mutate } from './mutate.ts';
import type { Target } from './targets.ts';

export interface FuzzOptions {
  readonly targets: readonly Target[];
  /** For each target, of the processor's or anybody's. */
  readonly msPerTarget: number;
  readonly seed: number;
  /** URLs of modules begin with it whose blocks count; default: those of the product. */
  readonly watched?: string;
  say(line: string): void;
}

export interface Finding {
  readonly target: string;
  readonly error: string;
  /** base64 */
  readonly input: string;
}

export interface FuzzResult {
  readonly runs: number;
  /** Inputs that went where none went before. */
  readonly kept: number;
  readonly findings: readonly Finding[];
}

/** Of one target: more of the same defect say nothing new. */
const FINDINGS_MAX = 5;
/** An input that takes the processor longer is a finding: parsers share their thread with every connection. */
const SLOW_MS = 100;
const SLOW_TIMES = 4;
const SOURCE = new URL('../../src/', import.meta.url).href;

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { targets, msPerTarget, seed, watched = SOURCE, say } = options;
  const coverage = await openCoverage((url) => url.startsWith(watched));
  const findings: Finding[] = [];
  let runs = 0;
  let kept = 0;
  try {
    for (const [index, target] of targets.entries()) {
      const random = makeRandom(seed + index);
      const corpus = [...target.seeds];
      const seen = new Set<string>();
      const found: Finding[] = [];
      let done = 0;
      const untilMs = performance.now() + msPerTarget;
      while (performance.now() < untilMs && found.length < FINDINGS_MAX) {
        const input = target.seeds[done] ?? mutate(corpus, random, target.bytesMax);
        done++;
        const error = attempt(target, input);
        if (error !== undefined) found.push({ target: target.name, error, input: input.toString('base64') });
        const before = seen.size;
        for (const way of await coverage.take()) seen.add(way);
        if (seen.size > before && done > target.seeds.length) corpus.push(input);
      }
      say(`${target.name}: ${done} inputs, ${corpus.length} kept, ${seen.size} ways, ${found.length} findings`);
      findings.push(...found);
      runs += done;
      kept += corpus.length;
    }
  } finally {
    await coverage.close();
  }
  return { runs, kept, findings };
}

/** What is wrong, if anything is. */
function attempt(target: Target, input: Buffer): string | undefined {
  try {
    // Slow is what is slow each time: the first time code is compiled, and another process may have the processor.
    let ms = timeOf(target, input);
    for (let times = 1; times < SLOW_TIMES && ms > SLOW_MS; times++) ms = Math.min(ms, timeOf(target, input));
    return ms > SLOW_MS ? `takes ${Math.round(ms)} ms` : undefined;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

function timeOf({ check }: Target, input: Buffer): number {
  const startedMs = performance.now();
  check(input);
  return performance.now() - startedMs;
}
