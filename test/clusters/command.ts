/** Runs a program to its end, within a time. */
import { execFile } from 'node:child_process';

const TIMEOUT_MS = 120_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export interface Finished {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code; 124 when its time was over. */
  readonly code: number;
}

export interface RunOptions {
  /** Given to standard input. */
  readonly input?: string;
  /** Default two minutes. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

const TIMED_OUT_CODE = 124;

/** Never rejects for an exit code; rejects when the program cannot be started. */
export function run(
  command: readonly string[],
  { input = '', timeoutMs = TIMEOUT_MS, env }: RunOptions = {},
): Promise<Finished> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const options = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: OUTPUT_BYTES_MAX,
      env: { ...process.env, ...env },
    };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr, code: 0 });
      else if (typeof error.code === 'number') resolve({ stdout, stderr, code: error.code });
      else if (error.killed === true) resolve({ stdout, stderr, code: TIMED_OUT_CODE });
      else reject(new Error(`${program}: ${error.message}`, { cause: error }));
    });
    // A program that ends before it has read everything is not at fault.
    child.stdin?.on('error', () => undefined).end(input);
  });
}

/** The same, for what must work. @throws {Error} with the command and what it said. */
export async function runOrThrow(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { stdout, stderr, code } = await run(command, options);
  if (code === 0) return stdout;
  throw new Error(`${command.join(' ')} ended with ${code}: ${stderr.trim() || stdout.trim()}`);
}
