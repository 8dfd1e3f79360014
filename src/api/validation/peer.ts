/** Peers: where their gateways are. */
import { hostProblem } from './addresses.ts';
import { below, type Finding } from './finding.ts';
import { listAt, textAt, type JsonObject } from './json.ts';

export function peerProblems(peer: JsonObject): Finding[] {
  const findings = listAt(peer, 'spec', 'gateways').flatMap((gateway, index) => {
    const host = textAt(gateway, 'host');
    const problem = host === undefined ? undefined : hostProblem(host);
    return problem === undefined ? [] : [{ path: [String(index), 'host'], ...problem }];
  });
  return below(['spec', 'gateways'], findings);
}
