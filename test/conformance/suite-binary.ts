/** Runs the official suite's test binary (`go test -c`), for people who have built it. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { SUITE_BINARY_GRACE_MS, SUITE_BINARY_MS } from './limits.ts';
import type { Options } from './options.ts';
import type { Report } from './report.ts';
import { readReport, REPORT_FOLDER } from './report-files.ts';

export interface SuiteTarget {
  readonly files: readonly string[];
  readonly contexts: readonly string[];
}

/** The binary's own command line. It takes one file with -kubeconfig; several only by the environment. */
export function suiteArguments(options: Options, { files, contexts }: SuiteTarget): string[] {
  const { implementation, labelFilter, dnsDomain, verifyManagedBy } = options;
  const flags: [string, string | undefined][] = [
    ['-contexts', contexts.join(',')],
    ['-kubeconfig', files.length === 1 ? files[0] : undefined],
    ['-dns-domain', dnsDomain],
    ['-organization', implementation.organization],
    ['-project', implementation.project],
    ['-version', implementation.version],
    ['-url', implementation.url],
    ['-ginkgo.label-filter', labelFilter?.text],
  ];
  const given = flags.flatMap(([flag, value]) => (value === undefined || value === '' ? [] : [flag, value]));
  return verifyManagedBy ? given : [...given, '-skip-verify-eps-managed-by'];
}

/**
 * Its output goes to standard error, its reports to build/conformance.
 * @returns what it reported. @throws if it could not be run or left no report.
 */
export async function runSuiteBinary(
  options: Options & { readonly suite: string },
  target: SuiteTarget,
  signal: AbortSignal,
): Promise<Report> {
  // It writes its reports where it runs.
  const folder = await mkdtemp(join(tmpdir(), 'mcs-conformance-'));
  try {
    const files = target.files.map((file) => resolve(file));
    await runProgram({
      program: resolve(options.suite),
      args: suiteArguments(options, { ...target, files }),
      folder,
      environment: { ...process.env, KUBECONFIG: files.join(delimiter) },
      signal,
    });
    const file = join(folder, 'report.yaml');
    if (!existsSync(file)) throw new Error(`${options.suite} ended without a report`);
    const report = await readReport(file);
    await mkdir(REPORT_FOLDER, { recursive: true });
    for (const name of ['report.yaml', 'report.html']) await copyFile(join(folder, name), join(REPORT_FOLDER, name));
    return report;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Program {
  readonly program: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Resolves when it has ended, whatever its exit code: a suite with failures exits with 1, and its report says more. */
async function runProgram({ program, args, folder, environment, signal }: Program): Promise<void> {
  const child = spawn(program, args, {
    cwd: folder,
    env: environment,
    stdio: ['ignore', process.stderr, process.stderr],
  });
  const { promise, resolve: ended, reject } = Promise.withResolvers<void>();
  let grace: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGTERM');
    // It removes its namespaces first.
    grace ??= setTimeout(() => child.kill('SIGKILL'), SUITE_BINARY_GRACE_MS);
  };
  const deadline = setTimeout(stop, SUITE_BINARY_MS);
  signal.addEventListener('abort', stop, { once: true });
  child.once('error', (error) => reject(new Error(`${program} cannot be run: ${error.message}`, { cause: error })));
  child.once('close', () => ended());
  try {
    await promise;
  } finally {
    clearTimeout(deadline);
    clearTimeout(grace);
    signal.removeEventListener('abort', stop);
  }
}
