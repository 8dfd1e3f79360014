/** Opens one CONNECT stream over a session and waits for the exporter's answer: one round trip. */
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason, type WireReason } from '../api/reasons.ts';
import { ANSWER_TIMEOUT_MS } from './limits.ts';
import type { PeerSession } from './session.ts';
import { readHead } from './read-head.ts';
import { encodeConnect, parseAnswer, type ConnectRequest } from './wire/connect.ts';
import { makeResponseHeadParser } from './wire/head.ts';
import type { YamuxStream } from './yamux/stream.ts';

export type StreamAttempt =
  | {
      readonly ok: true;
      readonly upstream: YamuxStream;
      /** The exporter rechecks its own decision; there is nothing more to ask here. */
      recheck(): undefined;
      explainCut(): { readonly reason: Reason; readonly message: string } | undefined;
    }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

/** Never rejects. A failed stream is reset, so that its id and its buffers are free at both ends. */
export async function openStream(session: PeerSession, request: ConnectRequest): Promise<StreamAttempt> {
  const { peer } = session;
  let stream: YamuxStream;
  try {
    stream = session.openStream();
  } catch (error) {
    return { ok: false, reason: REASONS.Overloaded, message: error instanceof Error ? error.message : String(error) };
  }
  try {
    stream.write(encodeConnect(request));
    const answer = parseAnswer(await readHead(stream, makeResponseHeadParser(), ANSWER_TIMEOUT_MS));
    if (answer.connection !== request.connection) {
      throw new AppError('ERR_MALFORMED', `peer ${peer}: its answer is for another connection`);
    }
    if (!answer.ok) {
      stream.reset();
      return {
        ok: false,
        reason: fromWire(answer.reason),
        message: `${peer} answered ${answer.status} ${answer.reason}.`,
      };
    }
    return {
      ok: true,
      upstream: stream,
      recheck: () => undefined,
      explainCut() {
        const said = session.reasonOf(stream);
        return said === undefined ? undefined : { reason: fromWire(said), message: `${peer} cut it: ${said}.` };
      },
    };
  } catch (error) {
    stream.reset();
    const { code, message } = error as AppError;
    const reason = code === 'ERR_MALFORMED' ? REASONS.Malformed : REASONS.PeerUnreachable;
    return { ok: false, reason, message };
  }
}

/** The exporter says no more than this (DESIGN §6); `explain` on its side tells the rest. */
export function fromWire(reason: WireReason): Reason {
  switch (reason) {
    case 'denied':
      return REASONS.IngressDenied;
    case 'unavailable':
      return REASONS.NoUsableSource;
    case 'overloaded':
      return REASONS.Overloaded;
    case 'loop':
      return REASONS.Loop;
    case 'drained':
      return REASONS.Drained;
    case 'malformed':
      return REASONS.Malformed;
  }
}
