/** Opens one CONNECT stream over a session and waits for the exporter's answer: its dial and one round trip. */
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import { explainCut, fromWire, toWire } from './cuts.ts';
import { ANSWER_TIMEOUT_MS } from './limits.ts';
import type { PeerSession } from './session.ts';
import type { PeerSide } from './tunnel.ts';
import { readHead } from './read-head.ts';
import { encodeConnect, parseAnswer, type ConnectRequest } from './wire/connect.ts';
import { makeResponseHeadParser } from './wire/head.ts';
import type { YamuxStream } from './yamux/stream.ts';

export type StreamAttempt =
  | { readonly ok: true; readonly upstream: YamuxStream; readonly peerSide: PeerSide }
  | {
      readonly ok: false;
      readonly reason: Reason;
      readonly message: string;
      /** The session lives, and the peer has said nothing in the time that it was given. */
      readonly overdue?: boolean;
    };

/** Never rejects. A failed stream is reset, so that its id and its buffers are free at both ends. */
export async function openStream(
  session: PeerSession,
  request: ConnectRequest,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<StreamAttempt> {
  const { peer } = session;
  let stream: YamuxStream;
  try {
    stream = session.openStream();
  } catch (error) {
    const { code, message } = error as AppError;
    return { ok: false, reason: code === 'ERR_BOUND_EXCEEDED' ? REASONS.Overloaded : REASONS.PeerUnreachable, message };
  }
  try {
    stream.write(encodeConnect(request));
    const answer = parseAnswer(await readHead(stream, makeResponseHeadParser(), timeoutMs));
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
      peerSide: {
        side: 'right',
        tellCut: ({ reason }) => session.tellClosed(stream, toWire(reason).reason),
        explainCut: () => explainCut({ session, stream, direction: 'egress' }),
      },
    };
  } catch (error) {
    const { code, message } = error as AppError;
    const told = session.toldOf(stream);
    const isOverdue = code === 'ERR_TIMEOUT' && !stream.destroyed;
    stream.reset();
    if (isOverdue) {
      const overdue = `${peer} has not answered in ${timeoutMs} ms.`;
      return { ok: false, reason: REASONS.PeerUnreachable, message: overdue, overdue: true };
    }
    // Refused before its head was read: the word came before the reset.
    if (told !== undefined) return { ok: false, reason: fromWire(told), message: `${peer} refused it: ${told}.` };
    if (code === 'ERR_BOUND_EXCEEDED') return { ok: false, reason: REASONS.Overloaded, message };
    const reason = code === 'ERR_MALFORMED' ? REASONS.Malformed : REASONS.PeerUnreachable;
    return { ok: false, reason, message };
  }
}
