/** What a peer has opened a stream for: one connection to an export, or the exchange. */
import type { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import { answerAndClose } from './answer-and-close.ts';
import type { Self } from './decisions.ts';
import type { ExchangeStreams } from './exchange-streams.ts';
import type { Ingress } from './ingress.ts';
import { HEAD_TIMEOUT_MS } from './limits.ts';
import type { PeerBounds } from './peer-bounds.ts';
import { readHead } from './read-head.ts';
import type { PeerSession } from './session.ts';
import type { Turns } from './turns.ts';
import { makeStreamRequestParser } from './wire/known-heads.ts';
import type { YamuxStream } from './yamux/stream.ts';

export interface StreamServerOptions {
  readonly self: Self;
  readonly bounds: PeerBounds;
  readonly turns: Turns;
  readonly ingress: Ingress;
  readonly exchanges: ExchangeStreams;
  /** Nothing new is served. */
  isDraining(): boolean;
  onRefused(reason: Reason, from: string): void;
}

/** @returns serves a stream to its end; never rejects. */
export function makeStreamServer(options: StreamServerOptions) {
  const { self, bounds, turns, ingress, exchanges, isDraining, onRefused } = options;

  async function serve(session: PeerSession, stream: YamuxStream): Promise<void> {
    if (isDraining()) {
      session.tellUnserved(stream, 'drained');
      return stream.reset();
    }
    const opened = bounds.of(session.peer).stream();
    stream.on('close', opened.closed);
    if (stream.destroyed) opened.closed();
    try {
      const request = await readHead(stream, makeStreamRequestParser(), HEAD_TIMEOUT_MS);
      opened.headRead();
      await turns.take(session.peer);
      if (request.kind === 'connect') return await ingress.serveConnect(session, stream, request.request);
      if (request.exporter === self.name) return serveExchange(session, stream);
      answerAndClose(stream, { ok: false, status: 400, reason: 'malformed' });
      onRefused(REASONS.PeerNameMismatch, session.peer);
    } catch (error) {
      opened.headRead();
      const { code } = error as AppError;
      if (code === 'ERR_MALFORMED') answerAndClose(stream, { ok: false, status: 400, reason: 'malformed' });
      else stream.reset();
      // Reset by the peer before it asked for anything: there is nothing to refuse.
      if (code === 'ERR_STREAM_RESET') return;
      onRefused(code === 'ERR_MALFORMED' ? REASONS.Malformed : REASONS.HandshakeTimeout, session.peer);
    }
  }

  function serveExchange(session: PeerSession, stream: YamuxStream): void {
    if (bounds.of(session.peer).mayExchange()) return exchanges.serve(session, stream);
    // No answer: one that waits to be read would hold the stream, and whoever comes so often does not read it.
    session.tellClosed(stream, 'overloaded');
    stream.reset();
  }

  return serve;
}
