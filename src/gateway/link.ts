/**
 * A way to a peer over which connections are opened: a session of ours, or a gateway that speaks ClusterLink's form. Whoever
 * counts, orders, replaces or ends ways does not care which of the two it is.
 */
import type { Duplex } from 'node:stream';
import { REASONS } from '../api/reasons.ts';
import type { ClusterLinkLink } from './clusterlink/link.ts';
import type { TunnelFailure } from './clusterlink/opener.ts';
import { isFresh } from './early-bytes.ts';
import { EARLY_FEATURE } from './hello.ts';
import { PROBE_TIMEOUT_MS } from './limits.ts';
import type { ProbeOutcome } from './messages.ts';
import { openStream, type OpenStreamOptions, type StreamAttempt } from './open-stream.ts';
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

export interface OpenConnectionOptions extends OpenStreamOptions {
  readonly timeoutMs: number;
}

/** Never rejects. ClusterLink's form knows no early bytes: {@link takesEarlyBytes}. */
export function openConnection(
  link: PeerLink,
  request: ConnectRequest,
  options: OpenConnectionOptions,
): Promise<LinkAttempt> {
  return link.form === 'session' ? openStream(link, request, options) : link.open(request, options.timeoutMs);
}

/** Whether bytes of a client may go with a request over it, as the peer and its session are now. */
export function takesEarlyBytes(link: PeerLink): boolean {
  return (
    link.form === 'session' &&
    link.hello.features.includes(EARLY_FEATURE) &&
    isFresh({ silentMs: link.silentMs, rttMs: link.rttMs }) &&
    !link.memory.pressed
  );
}

/** Asks without a byte of payload whether a connection would be served (`request.probe`). Never rejects. */
export async function probeConnection(link: PeerLink, request: ConnectRequest): Promise<ProbeOutcome> {
  if (link.form === 'clusterlink' && request.probe === 'decide') {
    const decided = await link.decide(request, PROBE_TIMEOUT_MS);
    return decided.ok ? { ok: true, silentMs: link.silentMs } : decided;
  }
  const attempt = await openConnection(link, request, { timeoutMs: PROBE_TIMEOUT_MS });
  if (!attempt.ok) return attempt;
  // The answer was all there is; an exporter that never ends its half holds nothing here.
  attempt.upstream.on('error', () => undefined);
  resetConnection(attempt.upstream, new AppError('ERR_STREAM_RESET', `probe: ${REASONS.Done}`));
  return { ok: true };
}
