/** `status`: asks the running peer and prints what it says. */
import type { StatusReport } from './run/status.ts';
import { formatData, formatTable, type Output } from './output.ts';

export function formatStatus(report: StatusReport, output: Output): string {
  if (output === 'json' || output === 'yaml') return formatData(report, output);
  const wide = output === 'wide';
  const withMessage = (headers: string[]): string[] => (wide ? [...headers, 'message'] : headers);
  const cells = (row: string[], message: string): string[] => (wide ? [...row, message] : row);
  const sections = [
    `Peer ${report.peer}, version ${report.version}, gateway ${report.listening}, certificate until ${report.certificateExpires}`,
    section(
      'Peers',
      withMessage(['name', 'reachable', 'sessions', 'version', 'records']),
      report.peers.map((peer) =>
        cells(
          [peer.name, String(peer.reachable), String(peer.sessions), peer.version, String(peer.records)],
          peer.message,
        ),
      ),
    ),
    section(
      'Exports',
      withMessage(['name', 'valid', 'conflict', 'imported by']),
      report.exports.map((entry) =>
        cells([entry.name, entry.valid, entry.conflict, entry.importedBy.join(',')], entry.message),
      ),
    ),
    section(
      'Imports',
      withMessage(['name', 'ip', 'ports', 'ready', 'sources']),
      report.imports.map((entry) =>
        cells([entry.name, entry.ip, entry.ports, entry.ready, entry.sources.join(', ')], entry.message),
      ),
    ),
    section(
      'Exports that rules skipped',
      ['rule', 'source', 'reason', 'message'],
      report.skipped.map(({ rule, source, reason, message }) => [rule, source, reason, message]),
    ),
    section(
      'Last refusals and cuts',
      ['object', 'peer', 'reason', 'message'],
      report.failures.map(({ object, peer, reason, message }) => [object, peer, reason, message]),
    ),
    report.problems.length === 0 ? '' : `Problems in manifests\n${report.problems.join('\n')}`,
  ];
  return sections.filter((text) => text !== '').join('\n\n');
}

function section(title: string, headers: string[], rows: string[][]): string {
  return rows.length === 0 ? '' : `${title}\n${formatTable(headers, rows)}`;
}
