/** `probe`: what each source of an import answered, and how fast. */
import type { ProbeReport } from '../gateway/probe-import.ts';
import { formatData, formatTable, type Output } from './output.ts';

export function formatProbe(report: ProbeReport, output: Output): string {
  if (output === 'json' || output === 'yaml') return formatData(report, output);
  return formatTable(
    ['source', 'outcome', 'time', 'message'],
    report.sources.map(({ source, code, durationMs, message }) => [source, code ?? 'ok', `${durationMs} ms`, message]),
  );
}
