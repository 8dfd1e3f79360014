/** `status --fabric`: one line a peer. */
import type { FabricReport } from './run/fabric-status.ts';
import { formatData, formatTable, type Output } from './output.ts';

export function formatFabric(report: FabricReport, output: Output): string {
  if (output === 'json' || output === 'yaml') return formatData(report, output);
  const isWide = output === 'wide';
  const headers = ['name', 'reachable', 'since', 'version', 'certificate until', 'records', 'age', 'conflicts'];
  const rows = report.peers.map((peer) => [
    peer.name,
    peer.reachable ? 'True' : `False (${peer.reason})`,
    peer.since,
    peer.version,
    peer.certificateExpires,
    String(peer.records),
    peer.recordsAgeSeconds === null ? '' : `${peer.recordsAgeSeconds}s`,
    isWide ? peer.conflicts.join('; ') : String(peer.conflicts.length),
    ...(isWide ? [peer.message] : []),
  ]);
  const head = `Peer ${report.peer}, version ${report.version}, certificate until ${report.certificateExpires}${report.revoked ? ', which was REVOKED: others refuse it' : ''}`;
  if (rows.length === 0) return head;
  const alarms = report.peers.flatMap((peer) => peer.alarms.map((alarm) => `\n${peer.name}: ${alarm}`));
  return `${head}\n\n${formatTable(isWide ? [...headers, 'message'] : headers, rows)}${alarms.length === 0 ? '' : `\n${alarms.join('')}`}`;
}
