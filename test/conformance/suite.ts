/** One run against clusters that are there: looks at them, runs the tests or the official binary, writes the report. */
import { makeClusters, ApiError, type Cluster } from './clusters.ts';
import { kubeConfigFiles, loadKubeConfigs, UsageError } from './kubeconfig.ts';
import type { Options } from './options.ts';
import { toMessage, type ConformanceTest, type TestResult } from './outcome.ts';
import { toReport, type Report } from './report.ts';
import { writeReport } from './report-files.ts';
import { runTests } from './runner.ts';
import { runSuiteBinary } from './suite-binary.ts';
import { TESTS } from './tests/index.ts';
import { EXIT, exitCodeOf, makeSelection } from './verdict.ts';

export interface Target {
  /** A file or several; undefined: KUBECONFIG, else the file in the home folder. */
  readonly kubeconfig: string | undefined;
  /** Empty: the current one. */
  readonly contexts: readonly string[];
}

export interface Outcome {
  readonly report: Report;
  readonly exitCode: number;
}

export interface Console {
  /** One line of progress, for people. */
  say(line: string): void;
  readonly signal: AbortSignal;
}

/** @throws UsageError for a kubeconfig or context that cannot be used; nothing else. */
export async function runSuite(options: Options, target: Target, console: Console): Promise<Outcome> {
  const files = kubeConfigFiles(target.kubeconfig);
  const parts = loadKubeConfigs(files);
  const contexts = target.contexts.length > 0 ? target.contexts : [parts.currentContext ?? ''];
  const clusters = makeClusters(parts, contexts);
  const [first, ...others] = clusters;
  if (first === undefined) throw new UsageError('no context');
  try {
    const { suite } = options;
    if (suite !== undefined) return await runOfficial({ ...options, suite }, { files, contexts }, console);
    const trouble = await findTrouble(clusters, console.signal);
    if (trouble !== undefined) return await finish(options, console, { results: [], ...trouble });
    const results = await runOurs(options, [first, ...others], console);
    return await finish(options, console, { results, suitefailure: '' });
  } finally {
    await Promise.allSettled(clusters.map((cluster) => cluster.close()));
  }
}

/** For a run that never came to its clusters: all tests are skipped, and the report says why. */
export const failSuite = (options: Options, console: Console, suitefailure: string): Promise<Outcome> =>
  finish(options, console, { results: [], suitefailure, exitCode: EXIT.unreachable });

/** The suite's own set-up: both kinds must be listable everywhere, in the version that it speaks. */
async function findTrouble(
  clusters: readonly Cluster[],
  signal: AbortSignal,
): Promise<{ suitefailure: string; exitCode: number } | undefined> {
  for (const cluster of clusters) {
    for (const resource of ['serviceexports', 'serviceimports'] as const) {
      try {
        await cluster.list(resource, { limit: 1, signal });
      } catch (error) {
        const suitefailure = `${resource} (multicluster.x-k8s.io/v1beta1) of ${cluster.name} cannot be listed: ${toMessage(error)}`;
        return { suitefailure, exitCode: error instanceof ApiError ? EXIT.failed : EXIT.unreachable };
      }
    }
  }
  return undefined;
}

function runOurs(
  options: Options,
  clusters: readonly [Cluster, ...Cluster[]],
  { say, signal }: Console,
): Promise<TestResult[]> {
  const selection = makeSelection(options);
  const selects = ({ id, group, labels }: ConformanceTest) => selection({ id, labels: [group, ...labels] });
  const selected = TESTS.filter(selects).length;
  let done = 0;
  say(`${clusters.map(({ context, name }) => `${context} (${name})`).join(', ')}; the first one exports`);
  if (clusters.length === 1) say('One cluster: the tests that need two are skipped.');
  return runTests({
    tests: TESTS,
    selects,
    clusters,
    settings: { zone: options.dnsDomain, verifyManagedBy: options.verifyManagedBy },
    parallel: options.parallel,
    signal,
    onResult: (result) => {
      if (!selects(result.test)) return;
      done += 1;
      say(`[${String(done).padStart(2)}/${selected}] ${toProgress(result)}`);
    },
    warn: (message) => say(`warning: ${message}`),
  });
}

function toProgress({ test, outcome, message, durationMs }: TestResult): string {
  const head = `${outcome.padEnd(7)} ${test.id.padEnd(7)}`;
  const seconds = outcome === 'skipped' ? '' : ` ${(durationMs / 1000).toFixed(1)} s`;
  return `${head}${seconds}${message === '' ? `  ${test.title}` : `  ${message}`}`;
}

async function finish(
  options: Options,
  { say, signal }: Console,
  found: { results: readonly TestResult[]; suitefailure: string; exitCode?: number },
): Promise<Outcome> {
  const suitefailure = signal.aborted ? 'interrupted' : found.suitefailure;
  // A suite that did not begin has skipped its tests: they still count.
  const results = TESTS.map(
    (test, index): TestResult =>
      found.results[index] ?? { test, outcome: 'skipped', conformant: true, message: '', durationMs: 0 },
  );
  const { dnsDomain: dnsdomain, implementation } = options;
  const report = toReport(results, { suitefailure, dnsdomain, implementation });
  await writeReport(report);
  if (suitefailure !== '') say(`The suite could not do its work: ${suitefailure}`);
  if (signal.aborted) return { report, exitCode: EXIT.interrupted };
  return { report, exitCode: found.exitCode ?? exitCodeOf(report, options) };
}

async function runOfficial(
  options: Options & { readonly suite: string },
  target: Parameters<typeof runSuiteBinary>[1],
  console: Console,
): Promise<Outcome> {
  try {
    const report = await runSuiteBinary(options, target, console.signal);
    return { report, exitCode: console.signal.aborted ? EXIT.interrupted : exitCodeOf(report, options) };
  } catch (error) {
    return finish(options, console, { results: [], suitefailure: toMessage(error) });
  }
}
