/** What mends a peer with which there is no session, by the reason that the last attempt had. Pure. */
import { ANNOTATIONS } from '../api/names.ts';
import { REASONS } from '../api/reasons.ts';
import type { PeerRoute } from './messages.ts';

export interface SessionTrouble {
  readonly reason: string;
  /** Where the peer is dialled: none means that it dials us. */
  readonly gateways: PeerRoute['gateways'];
}

export function fixSession(peer: string, { reason, gateways }: SessionTrouble): string {
  const address = gateways.map(({ host, port }) => `${host}:${port}`).join(', ') || 'no address';
  switch (reason) {
    case REASONS.CertExpired:
      return `renew the certificate of whichever of the two has expired (npx clusterlink-mcs renew cert ${peer}), or set the clock`;
    case REASONS.Revoked:
      return `if ${peer} may come back, have the owner of its CA make it a new certificate for a new key (npx clusterlink-mcs renew cert ${peer} --new-key, or sign cert): the old one stays revoked`;
    case REASONS.PeerRootMismatch:
      return `use certificates of one fabric; or, where ${peer} has a CA of its own, put its certificate into the annotation ${ANNOTATIONS.roots} of the Peer object ${peer} here, and ours into that of our Peer object there`;
    case REASONS.PeerNameMismatch:
      return `correct spec.gateways of the Peer object ${peer}: at ${address} another peer answers; or give ${peer} a certificate of its own name`;
    case REASONS.ProtocolMismatch:
    case REASONS.Malformed:
      return `correct spec.gateways of the Peer object ${peer}: what listens at ${address} is no gateway of this version`;
    case REASONS.Drained:
      return `${peer} is shutting down: wait until its gateway runs again`;
    case REASONS.PeerUnknown:
      return `write a Peer object ${peer} with its addresses in spec.gateways, or none if it dials us`;
    default:
      return gateways.length === 0
        ? `${peer} has to dial this peer: see that its gateway runs and that its Peer object for this peer has the right address`
        : `see that the gateway of ${peer} runs and that the Peer object ${peer} names its address, now ${address}: npx clusterlink-mcs status`;
  }
}
