/** One open connection, whichever end this gateway is: relays bytes until both sides are done, and says how it ended. */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError } from '../api/errors.ts';
import { REASONS } from '../api/reasons.ts';
import type { ClosingRecord, ConnectionSubject } from './messages.ts';
import { keepAlive } from './keep-alive.ts';
import { startRelay, type Relay, type RelayOutcome, type RelaySide } from './relay.ts';
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
  readonly onStart?: ((abort: (revocation: Revocation) => void) => () => void) | undefined;
}

/** Runs to the end of the connection; never rejects. */
export function runTunnel(options: TunnelOptions): Promise<ClosingRecord> {
  return new OpenTunnel(options).run();
}

class OpenTunnel implements Tunnel {
  readonly subject: ConnectionSubject;
  readonly client: string | undefined;
  place: Tunnel['place'];
  readonly #options: TunnelOptions;
  readonly #relay: Relay;
  #revoked: Revocation | undefined;
  #isKeptAlive = false;

  constructor(options: TunnelOptions) {
    const { downstream, upstream } = options;
    this.subject = options.subject;
    this.client = options.client;
    this.#options = options;
    const measured = joinForMemory(downstream, upstream);
    const onHeld = options.onHeld ?? (() => measured?.measure());
    this.#relay = startRelay({ left: downstream, right: upstream, onHeld });
  }

  recheck(routes: Routes): Revocation | undefined {
    return this.#options.recheck(routes);
  }

  abort(revocation: Revocation): void {
    if (this.#revoked !== undefined) return;
    this.#revoked = revocation;
    this.#options.peerSide?.tellCut(revocation);
    const message = `connection ${this.subject.connection}: ${revocation.message}`;
    this.#relay.abort(new AppError('ERR_STREAM_RESET', message));
  }

  keepAlive(idleMs: number): void {
    if (this.#isKeptAlive) return;
    this.#isKeptAlive = true;
    const { downstream, upstream } = this.#options;
    for (const side of [downstream, upstream]) if (side instanceof Socket) keepAlive(side, idleMs);
  }

  run(): Promise<ClosingRecord> {
    const { table, onStart } = this.#options;
    table.add(this);
    const onEnd = onStart?.((revocation) => this.abort(revocation));
    return this.#relay.done.then((outcome) => {
      onEnd?.();
      table.remove(this);
      return this.#record(outcome);
    });
  }

  #record(outcome: RelayOutcome): ClosingRecord | Promise<ClosingRecord> {
    const { openedMs, earlyBytes = 0, now } = this.#options;
    const durationMs = Math.round(now() - openedMs);
    const { connection, direction, object, peer } = this.subject;
    const toRecord = ({ reason, message }: Revocation): ClosingRecord => ({
      connection,
      direction,
      object,
      peer,
      reason,
      message,
      opened: true,
      sentBytes: earlyBytes + outcome.leftToRightBytes,
      receivedBytes: outcome.rightToLeftBytes,
      durationMs,
    });
    const end = this.#revoked ?? this.#describeEnd(outcome);
    return end instanceof Promise ? end.then(toRecord) : toRecord(end);
  }

  #describeEnd({ error, failedSide }: RelayOutcome): Revocation | Promise<Revocation> {
    const { message, peerSide } = this.#options;
    if (error === undefined) return { reason: REASONS.Done, message };
    const aborted = { reason: REASONS.Aborted, message: 'code' in error ? String(error.code) : error.message };
    if (peerSide === undefined || failedSide !== peerSide.side) return aborted;
    return peerSide.explainCut().then((explained) => explained ?? aborted);
  }
}

/** The side of the peer answers for the memory of its tunnel: bytes for a client or service that does not read are the peer's. */
function joinForMemory(downstream: Duplex, upstream: Duplex): TunnelMemory | undefined {
  const stream = [downstream, upstream].find(answersForMemory);
  if (stream !== undefined) stream.otherSide = stream === downstream ? upstream : downstream;
  return stream;
}
