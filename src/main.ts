/** The entry of the process: reads the command line, runs one command, ends with its exit code. */
import { CommanderError } from 'commander';
import { formatError } from './api/errors.ts';
import { EXIT, exitCodeOf } from './cli/output.ts';
import { makeProgram } from './cli/program.ts';

let exitCode: number = EXIT.ok;
const streams = {
  out: (text: string) => process.stdout.write(`${text}\n`),
  bytes: (content: Uint8Array) => process.stdout.write(content),
  error: (text: string) => process.stderr.write(`${text}\n`),
};
const program = makeProgram(streams, (code) => {
  exitCode = code;
});
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else {
    streams.error(formatError(error));
    exitCode = exitCodeOf(error);
  }
}
process.exitCode = exitCode;
