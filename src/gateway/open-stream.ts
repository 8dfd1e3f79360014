/** Opens one CONNECT stream over a session and waits for the exporter's answer: its dial and one round trip. */
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import { fromWire, StreamSide } from './cuts.ts';
import { isSpent, type EarlyBytes, type Ending } from './early-bytes.ts';
import { ANSWER_TIMEOUT_MS } from './limits.ts';
import type { PeerSession, Told } from './session.ts';
import type { PeerSide } from './tunnel.ts';
import { readHead } from './read-head.ts';
import { encodeConnect, type ConnectAnswer, type ConnectRequest } from './wire/connect.ts';
import { makeAnswerParser } from './wire/known-heads.ts';
import type { YamuxStream } from './yamux/stream.ts';

export type StreamAttempt =
  | { readonly ok: true; readonly upstream: YamuxStream; readonly peerSide: PeerSide }
  | {
      readonly ok: false;
      readonly reason: Reason;
      readonly message: string;
      /** The session lives, and the peer has said nothing in the time that it was given. */
      readonly overdue?: boolean;
      /** Bytes of the client went with it, and an endpoint may have had them: nobody else may get them. */
      readonly spent?: boolean;
    };

type Failure = Extract<StreamAttempt, { ok: false }>;

export interface OpenStreamOptions {
  /** Beyond it the attempt is overdue. Where early bytes have gone, it is taken back then, and the answer to that is awaited. */
  readonly timeoutMs?: number;
  /** Absent: nothing of the client is sent before the answer. */
  readonly early?:
    | {
        readonly bytes: EarlyBytes;
        /** Whether this side still lets them pass. */
        mayPass(): boolean;
      }
    | undefined;
}

/** Never rejects. A failed stream is reset, so that its id and its buffers are free at both ends. */
export function openStream(
  session: PeerSession,
  request: ConnectRequest,
  { timeoutMs = ANSWER_TIMEOUT_MS, early }: OpenStreamOptions = {},
): Promise<StreamAttempt> {
  let stream: YamuxStream;
  try {
    stream = session.openStream();
  } catch (error) {
    const { code, message } = error as AppError;
    const reason = code === 'ERR_BOUND_EXCEEDED' ? REASONS.Overloaded : REASONS.PeerUnreachable;
    return Promise.resolve({ ok: false, reason, message });
  }
  stream.write(encodeConnect(request));
  const asking: Asking = { session, stream, request, timeoutMs };
  return early === undefined ? awaitAnswer(asking) : askWithBytes(asking, early);
}

interface Asking {
  readonly session: PeerSession;
  readonly stream: YamuxStream;
  readonly request: ConnectRequest;
  readonly timeoutMs: number;
}

async function awaitAnswer(asking: Asking): Promise<StreamAttempt> {
  const { session, stream, request, timeoutMs } = asking;
  try {
    const answer = await readHead(stream, makeAnswerParser(request.connection), timeoutMs);
    return refusalBy(asking, answer) ?? opened(session, stream);
  } catch (error) {
    const { code, message } = error as AppError;
    const told = session.toldOf(stream);
    const isOverdue = code === 'ERR_TIMEOUT' && !stream.destroyed;
    stream.reset();
    if (isOverdue) return overdue(session, timeoutMs);
    // Refused before its head was read: the word came before the reset.
    if (told !== undefined) return refusedBy(session, told);
    return { ok: false, reason: reasonOf(code), message };
  }
}

/**
 * The same with bytes of the client behind the request. What they can have done decides how it goes on, so that an attempt is not just
 * left: when its time is over the peer is asked to refuse it, unless it has answered, and its answer to that says which is so.
 */
async function askWithBytes(asking: Asking, early: NonNullable<OpenStreamOptions['early']>): Promise<StreamAttempt> {
  const { session, stream, request, timeoutMs } = asking;
  let isLate = false;
  let isOver = false;
  const gift = early.bytes.give({
    stream,
    memory: session.memory,
    mayPass: () => !isLate && early.mayPass(),
    evict: () =>
      stream.reset(new AppError('ERR_BOUND_EXCEEDED', 'early bytes: no memory is left', { retryable: true })),
  });
  const giveUp = (): void => {
    if (isOver) return;
    isLate = true;
    if (gift.sentBytes === 0) stream.reset();
    else session.withdraw(stream);
  };
  // After a stall of this process the answer may be waiting in the kernel: timers run before sockets are read.
  const timer = setTimeout(() => setImmediate(giveUp), timeoutMs);
  try {
    const answer = await readHead(stream, makeAnswerParser(request.connection), ANSWER_TIMEOUT_MS);
    const refusal = refusalBy(asking, answer);
    if (refusal === undefined) return opened(session, stream);
    const failure = isLate ? overdue(session, timeoutMs) : refusal;
    return { ...failure, spent: isSpent({ ending: 'refused', sentBytes: gift.sentBytes }) };
  } catch (error) {
    if (isLate && gift.sentBytes === 0) return overdue(session, timeoutMs);
    // Cut here, before anybody read it.
    const own = stream.errored instanceof AppError ? stream.errored : undefined;
    return await explainLoss(asking, { error: own ?? (error as AppError), sentBytes: gift.sentBytes });
  } finally {
    isOver = true;
    clearTimeout(timer);
    gift.stop();
  }
}

/** There was no answer that could be read. The peer's word may come behind its reset. */
async function explainLoss(
  { session, stream }: Asking,
  { error, sentBytes }: { readonly error: AppError; readonly sentBytes: number },
): Promise<Failure> {
  const { code, message } = error;
  const isReset = stream.destroyed && code !== 'ERR_BOUND_EXCEEDED';
  stream.reset();
  const cut = isReset && sentBytes > 0 ? await session.explainCut(stream) : undefined;
  const told = cut?.kind === 'told' ? cut : session.toldOf(stream);
  const ending = endingOf({ code, told, isLost: cut?.kind === 'session-lost' });
  if (isSpent({ ending, sentBytes })) {
    const why = cut?.kind === 'session-lost' ? `the session was lost: ${cut.message}` : (told?.reason ?? message);
    const bytes = `${sentBytes} bytes of the client had gone to ${session.peer} with the request`;
    return {
      ok: false,
      reason: code === 'ERR_BOUND_EXCEEDED' ? REASONS.Overloaded : REASONS.EarlyBytesSpent,
      message: `${bytes} and may have been delivered, so that no other source gets them (${why}).`,
      spent: true,
    };
  }
  return told === undefined ? { ok: false, reason: reasonOf(code), message } : refusedBy(session, told);
}

function endingOf(what: {
  readonly code: AppError['code'];
  readonly told: Told | undefined;
  readonly isLost: boolean;
}): Ending {
  if (what.told !== undefined) return what.told.unserved === true ? 'unserved' : 'cut';
  if (what.isLost) return 'session-lost';
  if (what.code === 'ERR_MALFORMED') return 'malformed';
  return what.code === 'ERR_TIMEOUT' ? 'overdue' : 'reset';
}

/** Undefined: yes. @throws {AppError} `ERR_MALFORMED` where it answers something else. */
function refusalBy({ session, stream, request }: Asking, answer: ConnectAnswer): Failure | undefined {
  const { peer } = session;
  if (answer.connection !== request.connection) {
    throw new AppError('ERR_MALFORMED', `peer ${peer}: its answer is for another connection`);
  }
  if (answer.ok) return undefined;
  stream.reset();
  return { ok: false, reason: fromWire(answer.reason), message: `${peer} answered ${answer.status} ${answer.reason}.` };
}

function opened(session: PeerSession, stream: YamuxStream): StreamAttempt {
  return { ok: true, upstream: stream, peerSide: new StreamSide({ session, stream, direction: 'egress' }) };
}

function overdue({ peer }: PeerSession, timeoutMs: number): Failure {
  const message = `${peer} has not answered in ${timeoutMs} ms.`;
  return { ok: false, reason: REASONS.PeerUnreachable, message, overdue: true };
}

function refusedBy({ peer }: PeerSession, { reason }: Told): Failure {
  return { ok: false, reason: fromWire(reason), message: `${peer} refused it: ${reason}.` };
}

function reasonOf(code: AppError['code']): Reason {
  if (code === 'ERR_BOUND_EXCEEDED') return REASONS.Overloaded;
  return code === 'ERR_MALFORMED' ? REASONS.Malformed : REASONS.PeerUnreachable;
}
