/** `demo`. */
import { runDemo } from '../demo/demo.ts';
import { EXIT } from '../output.ts';
import type { Register } from '../register.ts';

export function addDemoCommand({ program, streams, done }: Register): void {
  program
    .command('demo')
    .description(
      'Three peers of different owners on this machine, step by step: no root, no cluster, nothing left behind.',
    )
    .option('--keep', 'leave it running and print what to try by hand')
    .option('--json', 'end with one JSON object on the last line')
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs demo --keep')
    .action(async ({ keep = false, json = false }: { keep?: boolean; json?: boolean }) => {
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
      const result = await runDemo({ say: streams.out, signal: stop.signal, keep: keep ? 'running' : 'nothing' });
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      if (json) streams.out(JSON.stringify(result));
      else streams.out(result.ok ? '\nEvery step held.' : '\nA step failed.');
      done(result.ok ? EXIT.ok : EXIT.failed);
    });
}
