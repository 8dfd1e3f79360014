/** Runs tests, each in a namespace of its own, several at once if wanted. */
import { randomBytes } from 'node:crypto';
import type { Cluster } from './clusters.ts';
import { setUp, tearDown, type Settings, type Site } from './driver.ts';
import { REQUEST_MS } from './limits.ts';
import { Interrupted, TestFailure, toEvidence, toMessage, type ConformanceTest, type TestResult } from './outcome.ts';

export interface SuiteRun {
  readonly tests: readonly ConformanceTest[];
  /** A test that does not match is skipped. */
  readonly selects: (test: ConformanceTest) => boolean;
  readonly clusters: readonly [Cluster, ...Cluster[]];
  readonly settings: Settings;
  /** Tests at once. */
  readonly parallel: number;
  readonly signal: AbortSignal;
  /** Called when a test has ended or was skipped. */
  readonly onResult: (result: TestResult) => void;
  /** For what is not the outcome of a test. */
  readonly warn: (message: string) => void;
}

/** Never throws: what goes wrong is in the results, which stand in the order of the tests. */
export async function runTests(run: SuiteRun): Promise<TestResult[]> {
  const results: TestResult[] = [];
  let next = 0;
  const worker = async () => {
    for (;;) {
      const index = next;
      next += 1;
      const test = run.tests[index];
      if (test === undefined) return;
      const result = await runOne(test, run);
      results[index] = result;
      run.onResult(result);
    }
  };
  await Promise.all(Array.from({ length: run.parallel }, worker));
  return results;
}

/** The reason why a test does not run; undefined: it does. */
export function skipReason(test: ConformanceTest, { selects, clusters, signal }: SuiteRun): string | undefined {
  if (signal.aborted) return 'the run was interrupted';
  if (!selects(test)) return 'not selected';
  if (clusters.length < test.clusters) return `needs ${test.clusters} clusters`;
  return undefined;
}

async function runOne(test: ConformanceTest, run: SuiteRun): Promise<TestResult> {
  const reason = skipReason(test, run);
  if (reason !== undefined) return { test, outcome: 'skipped', conformant: true, message: reason, durationMs: 0 };
  const namespace = `mcs-conformance-${randomBytes(4).readUInt32BE()}`;
  const site: Site = { clusters: run.clusters, namespace, signal: run.signal };
  const beginMs = performance.now();
  const failure = await runIn(site, test, run.settings);
  const durationMs = Math.round(performance.now() - beginMs);
  // Its own deadline: also after an interruption nothing of the suite may stay.
  await tearDown({ ...site, signal: AbortSignal.timeout(REQUEST_MS) }).catch((error: unknown) => {
    run.warn(toMessage(error));
  });
  if (failure === undefined) return { test, outcome: 'passed', conformant: true, message: '', durationMs };
  return { test, durationMs, ...toVerdict(failure.error) };
}

async function runIn(site: Site, test: ConformanceTest, settings: Settings): Promise<{ error: unknown } | undefined> {
  try {
    const service = await setUp(site, test.fixture);
    await test.run({ ...site, ...settings, service });
    return undefined;
  } catch (error) {
    return { error };
  }
}

function toVerdict(error: unknown): Pick<TestResult, 'outcome' | 'conformant' | 'message'> {
  const message = toEvidence(toMessage(error));
  if (error instanceof Interrupted) return { outcome: 'skipped', conformant: true, message };
  const blame = error instanceof TestFailure ? error.nonConformance : '';
  if (blame === '') return { outcome: 'failed', conformant: true, message };
  return { outcome: 'failed', conformant: false, message: `${blame} (${message})` };
}
