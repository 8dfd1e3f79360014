/**
 * What must happen when a test process ends, however it ends: a shell in a process group of its own waits on a pipe that the
 * kernel closes for the dead too. Works on every Unix, unlike a signal on the parent's death.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Reaper {
  /** Runs the script now, and ends with its exit code. A second call waits for the first. */
  close(): Promise<number | null>;
}

/**
 * @param script - for sh, with `args` as `$1`, `$2`, ...; `$word` is `done` when it was asked for, and empty when the process has died.
 */
export function startReaper(script: string, args: readonly string[]): Reaper {
  const shell = spawn('sh', ['-c', `read -r word || true\n${script}`, 'reaper', ...args], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(shell, 'exit') as Promise<[number | null]>;
  return {
    async close() {
      if (!shell.stdin.writableEnded) shell.stdin.end('done\n');
      return (await ended)[0];
    },
  };
}
