/** What is told of a peer's sessions. Pure. */
import { compareText } from '../api/object.ts';
import { REPLICAS_FEATURE, WORKERS_FEATURE } from './hello.ts';
import type { PeerLink } from './link.ts';
import type { PeerObservation, PeerRoute } from './messages.ts';
import type { PeerSession } from './session.ts';

/** @param links - all that there are, those that take no new streams among them. */
export function describeLinks(
  { name, gateways }: Pick<PeerRoute, 'name' | 'gateways'>,
  links: readonly PeerLink[],
  last: Pick<PeerObservation, 'reason' | 'message'>,
): PeerObservation {
  const counted = { name, sessions: links.length };
  const first = links.find(({ draining }) => !draining);
  if (first === undefined) return { ...counted, ...last };
  const { certificate, hello } = first;
  const facts = {
    ...counted,
    version: hello.version,
    ...(certificate === undefined ? {} : { certificateExpires: certificate.validToDate.toISOString() }),
  };
  if (first.form === 'session') {
    return { ...facts, epochs: epochsOf(links.filter((link) => link.form === 'session')), message: '' };
  }
  const answering = new Set(links.filter(({ draining }) => !draining).map((link) => link.hello.instance)).size;
  const message = `It speaks ClusterLink's form; ${answering} of ${gateways.length} gateways answer heartbeats.`;
  return { ...facts, form: 'clusterlink', labels: first.labels, message };
}

function epochsOf(sessions: readonly PeerSession[]): string[] {
  return [...new Set(sessions.map(({ hello }) => toInstallation(hello)))].sort(compareText);
}

/**
 * A peer without replicas is one process: a copy of its disk that runs beside it has its epoch, and not its instance. Of one that
 * was restarted the sessions have ended when the new process is there, or do within 2 s.
 */
function toInstallation({ epoch, instance, features }: PeerSession['hello']): string {
  if (features.includes(WORKERS_FEATURE)) return `${epoch}/${instance.split('.', 1)[0]}`;
  return features.includes(REPLICAS_FEATURE) ? epoch : `${epoch}/${instance}`;
}
