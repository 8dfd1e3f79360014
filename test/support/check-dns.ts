/** `check dns` as a user types it, within the process of the test. */
import { Command } from 'commander';
import { formatError } from '#src/api/errors.ts';
import type { DnsFinding } from '#src/cli/check-dns/findings.ts';
import { addCheckCommand } from '#src/cli/commands/check.ts';
import { exitCodeOf } from '#src/cli/output.ts';

export interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

export async function runCheckDns(...words: readonly string[]): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  let exitCode = 0;
  const program = new Command().exitOverride();
  const streams = {
    out: (text: string) => void out.push(text),
    error: (text: string) => void err.push(text),
    bytes: () => undefined,
  };
  addCheckCommand({ program, streams, done: (code) => (exitCode = code) });
  try {
    await program.parseAsync(['check', 'dns', ...words], { from: 'user' });
  } catch (error) {
    err.push(formatError(error));
    exitCode = exitCodeOf(error);
  }
  return { exitCode, out: out.join('\n'), err: err.join('\n') };
}

/** Of what `-o json` prints: `failed NotWired`, in order. */
export function verdictsOf(text: string): string[] {
  return (JSON.parse(text) as DnsFinding[]).map(({ result, code }) => `${result} ${code}`);
}
