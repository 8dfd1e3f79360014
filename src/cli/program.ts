/** The command line: every command with its options, an example in its help, and the exit codes of DESIGN §11. */
import { Command } from 'commander';
import { addAcceptLossCommand } from './commands/accept-loss.ts';
import { addCheckCommand } from './commands/check.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDeployCommands } from './commands/deploy.ts';
import { addFabricCommands } from './commands/fabric.ts';
import { addIntentCommands } from './commands/intents.ts';
import { addReaderCommands } from './commands/readers.ts';
import { addRunCommand } from './commands/run.ts';
import { addTestPolicyCommand } from './commands/test-policy.ts';
import type { Streams } from './register.ts';
import { version } from './version.ts';

/** The program; commands report their exit code through `done`. */
export function makeProgram(streams: Streams, done: (exitCode: number) => void): Command {
  const program = new Command('clusterlink-mcs')
    .description('Shares services between clusters and hosts of different owners, by standard MCS manifests.')
    .version(version)
    .configureOutput({
      writeOut: (text) => streams.out(text.trimEnd()),
      writeErr: (text) => streams.error(text.trimEnd()),
    })
    .exitOverride()
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      `
Three commands to the first shared service, on running peers:
  east$ npx clusterlink-mcs export shop/db --store dir:./manifests --port 5432 --endpoints 127.0.0.1:5432
  east$ npx clusterlink-mcs allow --store dir:./manifests --namespace shop --export shop/db --from-peer west
  west$ npx clusterlink-mcs import shop/db --store dir:./manifests --from east --as store/db --allow

Exit codes: 0 ok, 1 a check failed, 2 usage, 3 the peer cannot be reached.`,
    );
  const register = { program, streams, done };
  addDemoCommand(register);
  addFabricCommands(register);
  addRunCommand(register);
  addIntentCommands(register);
  addReaderCommands(register);
  addAcceptLossCommand(register);
  addCheckCommand(register);
  addTestPolicyCommand(register);
  addDeployCommands(register);
  return program;
}
