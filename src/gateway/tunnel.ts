/** One open connection, whichever end this gateway is: relays bytes until both sides are done, and says how it ended. */
import type { Duplex } from 'node:stream';
import { AppError } from '../api/errors.ts';
import { REASONS } from '../api/reasons.ts';
import type { ClosingRecord, ConnectionSubject } from './messages.ts';
import { startRelay, type RelayOutcome, type RelaySide } from './relay.ts';
import { answersForMemory, type TunnelMemory } from './held-bytes.ts';
import type { Routes } from './routes.ts';
import type { Revocation, Tunnel, TunnelTable } from './tunnels.ts';

/** The side of a connection that is a stream of a session: the other gateway has more to say about it than a reset. */
export interface PeerSide {
  readonly side: RelaySide;
  /** Before both sides are reset by this gateway's own decision. */
  tellCut(revocation: Revocation): void;
  /** Why that side failed; undefined when all that is known is that it was reset. */
  explainCut(): Promise<Revocation | undefined>;
}

export interface TunnelOptions {
  readonly subject: ConnectionSubject;
  /** Who allowed it, for people. */
  readonly message: string;
  readonly openedMs: number;
  /** That went from downstream to upstream before. */
  readonly earlyBytes?: number;
  readonly table: TunnelTable;
  readonly now: () => number;
  /** The side towards the one who opened the connection. */
  readonly downstream: Duplex;
  readonly upstream: Duplex;
  /** Where a local client connected from. */
  readonly client?: string;
  /** Absent when both ends are here. */
  readonly peerSide?: PeerSide | undefined;
  recheck(routes: Routes): Revocation | undefined;
  /** What waits at either side has changed: for sides that do not answer for it themselves. */
  readonly onHeld?: () => void;
  /** Told how to cut it; the result is called when it has ended. */
  onStart?(abort: (revocation: Revocation) => void): () => void;
}

/** Runs to the end of the connection; never rejects. */
export async function runTunnel({ earlyBytes = 0, ...options }: TunnelOptions): Promise<ClosingRecord> {
  const { subject, message, openedMs, table, now, downstream, upstream, client, peerSide, recheck, onStart } = options;
  const measured = joinForMemory(downstream, upstream);
  const onHeld = options.onHeld ?? (() => measured?.measure());
  const relay = startRelay({ left: downstream, right: upstream, onHeld });
  let revoked: Revocation | undefined;
  const tunnel: Tunnel = {
    subject,
    client,
    recheck,
    abort(revocation) {
      if (revoked !== undefined) return;
      revoked = revocation;
      peerSide?.tellCut(revocation);
      relay.abort(new AppError('ERR_STREAM_RESET', `connection ${subject.connection}: ${revocation.message}`));
    },
  };
  table.add(tunnel);
  const onEnd = onStart?.((revocation) => tunnel.abort(revocation));
  const outcome = await relay.done;
  onEnd?.();
  table.remove(tunnel);
  const durationMs = Math.round(now() - openedMs);
  const end = revoked ?? (await describeEnd({ outcome, message, peerSide }));
  return {
    ...subject,
    ...end,
    opened: true,
    sentBytes: earlyBytes + outcome.leftToRightBytes,
    receivedBytes: outcome.rightToLeftBytes,
    durationMs,
  };
}

/** The side of the peer answers for the memory of its tunnel: bytes for a client or service that does not read are the peer's. */
function joinForMemory(downstream: Duplex, upstream: Duplex): TunnelMemory | undefined {
  const stream = [downstream, upstream].find(answersForMemory);
  if (stream !== undefined) stream.otherSide = stream === downstream ? upstream : downstream;
  return stream;
}

async function describeEnd(input: {
  readonly outcome: RelayOutcome;
  readonly message: string;
  readonly peerSide: PeerSide | undefined;
}): Promise<Revocation> {
  const { outcome, message, peerSide } = input;
  const { error, failedSide } = outcome;
  if (error === undefined) return { reason: REASONS.Done, message };
  const explained = failedSide === peerSide?.side ? await peerSide?.explainCut() : undefined;
  return explained ?? { reason: REASONS.Aborted, message: 'code' in error ? String(error.code) : error.message };
}
