/** How readers print: kubectl-style columns, JSON or YAML. Results go to standard output, everything else to standard error. */
import { stringify } from 'yaml';
import { AppError } from '../api/errors.ts';

export const OUTPUTS = ['text', 'json', 'yaml', 'wide'] as const;
export type Output = (typeof OUTPUTS)[number];

/** Exit codes of every command (DESIGN §11). */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;

export function parseOutput(text: string): Output {
  const output = OUTPUTS.find((candidate) => candidate === text);
  if (output === undefined)
    throw new AppError('ERR_USAGE', `--output: ${JSON.stringify(text)} is not one of ${OUTPUTS.join(', ')}`);
  return output;
}

/** Which code a command ends with when it fails like this. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof AppError)) return EXIT.failed;
  if (error.code === 'ERR_USAGE' || error.code === 'ERR_CONFIG') return EXIT.usage;
  return error.code === 'ERR_ADMIN_UNREACHABLE' || error.code === 'ERR_STORE_UNAVAILABLE'
    ? EXIT.unreachable
    : EXIT.failed;
}

/** Rows under upper-case headers, padded to the widest cell. No rows: one line that says so. */
export function formatTable(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [headers.map((header) => header.toUpperCase()), ...rows.map((row) => row.map(sanitize))];
  const widths = headers.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

export function formatData(value: unknown, output: 'json' | 'yaml'): string {
  return output === 'json' ? JSON.stringify(value, null, 2) : stringify(value).trimEnd();
}

/** Nothing that came from a file or a peer moves the cursor of a terminal. */
export function sanitize(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ') || '-';
}
