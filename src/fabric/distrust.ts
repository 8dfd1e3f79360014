/** Why a certificate that could be read is not believed. */
import { AppError } from '../api/errors.ts';
import { REASONS } from '../api/reasons.ts';

export type DistrustReason = typeof REASONS.PeerRootMismatch | typeof REASONS.Revoked | typeof REASONS.CertExpired;

export interface Distrust {
  readonly reason: DistrustReason;
  /** Names the peer, and nothing that a certificate says in words of its own. */
  readonly message: string;
}

const FIXES: Readonly<Record<DistrustReason, string>> = {
  PEER_ROOT_MISMATCH:
    'have its certificate signed by a root that is believed for it here, or name its root in its Peer',
  REVOKED:
    'if it may come back, make it a new certificate for a new key, with "npx clusterlink-mcs renew cert --new-key" or "sign cert"',
  CERT_EXPIRED: 'renew its certificate with "npx clusterlink-mcs renew cert"',
};

/** Ends a session whose peer is not believed any more. */
export class DistrustError extends AppError {
  readonly reason: DistrustReason;

  constructor({ reason, message }: Distrust) {
    super('ERR_CERTIFICATE', message, { fix: FIXES[reason] });
    this.reason = reason;
  }
}
