/** `npm run conformance`: reads the command line, finds the clusters, and says how it went. */
import { withInstalledClusters } from './clusters-seam.ts';
import { UsageError } from './kubeconfig.ts';
import { parseOptions, USAGE, type Options } from './options.ts';
import { toMessage } from './outcome.ts';
import { toSummary } from './report.ts';
import { REPORT_FOLDER } from './report-files.ts';
import { failSuite, runSuite, type Console, type Outcome } from './suite.ts';
import { TESTS } from './tests/index.ts';
import { EXIT } from './verdict.ts';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const options = parseOptions(
    process.argv.slice(2),
    TESTS.map(({ id }) => id),
  );
  if (options.help) {
    process.stdout.write(`${USAGE}\n`);
    return EXIT.ok;
  }
  const signals = catchSignals();
  try {
    const outcome = await findAndRun(options, { say, signal: signals.signal });
    printOutcome(outcome, options);
    return outcome.exitCode;
  } finally {
    signals.release();
  }
}

async function findAndRun(options: Options, console: Console): Promise<Outcome> {
  const { contexts, kubeconfig } = options;
  if (contexts.length > 0 || kubeconfig !== undefined) return runSuite(options, { contexts, kubeconfig }, console);
  let outcome: Outcome | undefined;
  try {
    await withInstalledClusters(async (installed) => {
      outcome = await runSuite(options, installed, console);
      return outcome.exitCode;
    });
  } catch (error) {
    const trouble = `clusters of our own: ${toMessage(error)}`;
    if (outcome === undefined) return failSuite(options, console, trouble);
    // What was found stays; clusters that do not go down are worth a failure all the same.
    console.say(trouble);
    return { ...outcome, exitCode: outcome.exitCode === EXIT.ok ? EXIT.failed : outcome.exitCode };
  }
  return outcome ?? failSuite(options, console, 'clusters of our own: the suite was not called');
}

/** The first signal ends the tests, whose namespaces are removed; the second one ends the process. */
function catchSignals(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    say('Interrupted: removing the namespaces of the tests. Once more to leave at once.');
    controller.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const release = () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  return { signal: controller.signal, release };
}

function printOutcome({ report }: Outcome, { json }: Options): void {
  const summary = toSummary(report);
  const { required, optional } = summary;
  const failed = optional.failed.length === 0 ? '' : `, failed: ${optional.failed.join(', ')}`;
  say(`Required: ${required.passed} of ${required.total}. Optional: ${optional.passed} of ${optional.total}${failed}.`);
  say(`Reports: ${REPORT_FOLDER}report.yaml and report.html`);
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  say(`${error.message}\nTry --help.`);
  process.exitCode = EXIT.usage;
}
