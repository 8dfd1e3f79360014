/** The program's own commands, run as a reader would run them. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../output.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));
const COMMAND_TIMEOUT_MS = 20_000;

/** What it printed. Rejects if the exit code is another than the one that is expected. */
export function runCommand(words: readonly string[], exitCode: number = EXIT.ok): Promise<string> {
  return new Promise((resolve, reject) => {
    const run = execFile(
      process.execPath,
      [MAIN, ...words],
      { timeout: COMMAND_TIMEOUT_MS },
      (_error, stdout, stderr) => {
        if (run.exitCode === exitCode) return resolve(stdout.trimEnd());
        reject(new Error(`${words.join(' ')}: exit code ${String(run.exitCode)}. ${stderr}${stdout}`));
      },
    );
  });
}

/** Runs a printed remedy word for word, but for `npx`, which would look for the package here. */
export async function runRemedy(remedy: string): Promise<void> {
  const [npx, program, ...words] = remedy.split(' ');
  if (npx !== 'npx' || program !== 'clusterlink-mcs') throw new Error(`the remedy is not a command: ${remedy}`);
  await runCommand(words);
}
