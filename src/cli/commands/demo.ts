/** `demo`. */
import { Option } from 'commander';
import { PROFILE_NAMES, runDemo, type DemoResult, type ProfileName } from '../demo/demo.ts';
import { EXIT } from '../output.ts';
import type { Register } from '../register.ts';

interface DemoFlags {
  readonly profile: ProfileName;
  readonly keep?: boolean;
  readonly json?: boolean;
}

export function addDemoCommand({ program, streams, done }: Register): void {
  program
    .command('demo')
    .description(
      'Three peers of different owners on this machine, step by step: no root, no cluster, nothing left behind.',
    )
    .addOption(
      new Option('--profile <PROFILE>', "mcs: standard MCS manifests; clusterlink: ClusterLink's, unchanged")
        .choices(PROFILE_NAMES)
        .default('mcs' satisfies ProfileName),
    )
    .option('--keep', 'leave it running and print what to try by hand')
    .option('--json', 'end with one JSON object on the last line')
    .addHelpText(
      'after',
      '\nExamples:\n  npx clusterlink-mcs demo --keep\n  npx clusterlink-mcs demo --profile clusterlink' +
        '\n\nExit codes: 0 every step held, 1 one did not.',
    )
    .action(async ({ profile, keep = false, json = false }: DemoFlags) => {
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      // Not once: Ctrl-C reaches this process from the terminal and from the launcher, and cleaning up must outlive the second.
      process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
      const { out } = streams;
      const result = await runDemo({ profile, say: out, signal: stop.signal, keep: keep ? 'running' : 'nothing' });
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      if (json) out(JSON.stringify(result));
      else out(`\n${describeEnd(result, stop.signal)}`);
      done(result.ok ? EXIT.ok : EXIT.failed);
    });
}

function describeEnd({ ok }: DemoResult, { aborted }: AbortSignal): string {
  if (ok) return 'Every step held.';
  return aborted ? 'Stopped before the last step.' : 'A step failed.';
}
