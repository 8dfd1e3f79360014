/**
 * A way to a peer over which connections are opened: a session of ours, or a gateway that speaks ClusterLink's form. Whoever
 * counts, orders, replaces or ends ways does not care which of the two it is.
 */
import type { Duplex } from 'node:stream';
import { REASONS } from '../api/reasons.ts';
import type { ClusterLinkLink } from './clusterlink/link.ts';
import type { TunnelFailure } from './clusterlink/opener.ts';
import { PROBE_TIMEOUT_MS } from './limits.ts';
import type { ProbeOutcome } from './messages.ts';
import { openStream, type StreamAttempt } from './open-stream.ts';
import { resetConnection } from './relay.ts';
import { AppError } from '../api/errors.ts';
import type { PeerSession } from './session.ts';
import type { PeerSide } from './tunnel.ts';
import type { ConnectRequest } from './wire/connect.ts';

export type PeerLink = PeerSession | ClusterLinkLink;

export type LinkAttempt =
  | { readonly ok: true; readonly upstream: Duplex; readonly peerSide: PeerSide }
  | Extract<StreamAttempt, { ok: false }>
  | TunnelFailure;

/** Never rejects. */
export function openConnection(link: PeerLink, request: ConnectRequest, timeoutMs: number): Promise<LinkAttempt> {
  return link.form === 'session' ? openStream(link, request, timeoutMs) : link.open(request, timeoutMs);
}

/** Asks without a byte of payload whether a connection would be served (`request.probe`). Never rejects. */
export async function probeConnection(link: PeerLink, request: ConnectRequest): Promise<ProbeOutcome> {
  if (link.form === 'clusterlink' && request.probe === 'decide') {
    const decided = await link.decide(request, PROBE_TIMEOUT_MS);
    return decided.ok ? { ok: true, silentMs: link.silentMs } : decided;
  }
  const attempt = await openConnection(link, request, PROBE_TIMEOUT_MS);
  if (!attempt.ok) return attempt;
  // The answer was all there is; an exporter that never ends its half holds nothing here.
  attempt.upstream.on('error', () => undefined);
  resetConnection(attempt.upstream, new AppError('ERR_STREAM_RESET', `probe: ${REASONS.Done}`));
  return { ok: true };
}
