/** ClusterLink Exports: which host, and which port of it. ClusterLink's schema lets everything pass; here it must be dialable. */
import { hostProblem, isPort, PORT_MAX } from './addresses.ts';
import { below, type Finding } from './finding.ts';
import { textAt, valueAt, type JsonObject } from './json.ts';
import { quote } from './quote.ts';

export function exportProblems(object: JsonObject): Finding[] {
  const host = textAt(object, 'spec', 'host') ?? '';
  return below(['spec'], [...portProblems(valueAt(object, 'spec', 'port')), ...hostProblems(host)]);
}

/** ClusterLink reads a missing port as 0, which never connects. */
function portProblems(port: unknown): Finding[] {
  if (isPort(port)) return [];
  const fix = 'Use the port that clients of the Service, or of spec.host, connect to.';
  if (port === undefined) return [{ path: ['port'], message: 'is missing', fix }];
  // Another type is the schema's to tell.
  if (typeof port !== 'number') return [];
  return [{ path: ['port'], message: `must be a number between 1 and ${PORT_MAX}, is ${quote(port)}`, fix }];
}

function hostProblems(host: string): Finding[] {
  const problem = host === '' ? undefined : hostProblem(host);
  return problem === undefined ? [] : [{ path: ['host'], ...problem }];
}
