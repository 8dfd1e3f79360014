/** What is known of the end of a tunnel in ClusterLink's form: the other gateway says nothing of it. */
import type { Duplex } from 'node:stream';
import { AppError, type ErrorCode } from '../../api/errors.ts';
import { REASONS, type Reason } from '../../api/reasons.ts';
import { DistrustError } from '../../fabric/distrust.ts';
import type { PeerSide } from '../tunnel.ts';
import type { Revocation } from '../tunnels.ts';

/** Cuts of this side's own. */
const REASON_OF_CUT: Partial<Record<ErrorCode, Reason>> = {
  ERR_BOUND_EXCEEDED: REASONS.Overloaded,
  ERR_TIMEOUT: REASONS.PeerUnreachable,
};

export function makePeerSide(peer: string, upstream: Duplex): PeerSide {
  return {
    side: 'right',
    // The form has no words for it.
    tellCut: () => undefined,
    explainCut: () => Promise.resolve(describeCut(peer, upstream.errored)),
  };
}

export function describeCut(peer: string, error: Error | null): Revocation {
  if (error instanceof DistrustError) return { reason: error.reason, message: error.message };
  if (error instanceof AppError)
    return { reason: REASON_OF_CUT[error.code] ?? REASONS.Aborted, message: error.message };
  return { reason: REASONS.Aborted, message: `peer ${peer}: ${error?.message ?? 'it closed the connection'}` };
}
