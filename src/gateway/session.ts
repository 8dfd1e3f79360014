/**
 * A session: one long-lived mTLS connection with a peer, multiplexed by yamux, with a control stream that both have greeted on.
 * Either side opens streams over it, whoever dialled.
 */
import type { TLSSocket } from 'node:tls';
import { AppError } from '../api/errors.ts';
import type { WireReason } from '../api/reasons.ts';
import { parseControlLine, type Hello } from './hello.ts';
import { CONTROL_LINE_BYTES_MAX, HANDSHAKE_TIMEOUT_MS, STREAMS_PER_SESSION_MAX } from './limits.ts';
import { makeLineReader, writeLine } from './wire/lines.ts';
import { openYamux, type YamuxSession } from './yamux/session.ts';
import type { YamuxStream } from './yamux/stream.ts';

export interface PeerSession {
  readonly peer: string;
  readonly hello: Hello;
  /** The peer has asked for no new streams. */
  readonly draining: boolean;
  readonly rttMs: number | undefined;
  openStream(): YamuxStream;
  /** Tells the peer why the stream it sees reset was cut, as coarse as the wire has it. */
  tellClosed(stream: YamuxStream, reason: WireReason): void;
  /** Why the peer cut a stream, if it said so. */
  reasonOf(stream: YamuxStream): WireReason | undefined;
  drain(deadlineMs: number): void;
  /** Ends it in good order. */
  close(): void;
  destroy(error: AppError): void;
}

export interface SessionOptions {
  readonly socket: TLSSocket;
  readonly role: 'dialler' | 'acceptor';
  /** The name in the peer's certificate. */
  readonly peer: string;
  readonly hello: Hello;
  onStream(session: PeerSession, stream: YamuxStream): void;
  onDraining(session: PeerSession): void;
  onClose(session: PeerSession, error: Error | undefined): void;
}

/** Streams held that came together with the peer's hello, before it was read; a peer that opens more did not wait for ours. */
const EARLY_STREAMS_MAX = 64;

/** Reasons remembered for streams that were just cut; older ones are forgotten. */
const CLOSED_REASONS_MAX = 1_000;

/**
 * Multiplexes the connection and exchanges hellos; no other stream is served before both.
 *
 * @throws {AppError} `ERR_TIMEOUT` after {@link HANDSHAKE_TIMEOUT_MS}, `ERR_MALFORMED` when the peer's hello is not one or
 *   names another peer than its certificate. The socket is destroyed then.
 */
export async function establishSession(options: SessionOptions): Promise<PeerSession> {
  const { socket, role, peer, hello, onStream, onDraining, onClose } = options;
  const reasons = new Map<number, WireReason>();
  const greeted = Promise.withResolvers<Hello>();
  greeted.promise.catch(() => undefined);
  let control: YamuxStream | undefined;
  let session: PeerSession | undefined;
  const early: YamuxStream[] = [];
  let draining = false;

  const yamux: YamuxSession = openYamux({
    socket,
    role,
    streamsMax: STREAMS_PER_SESSION_MAX,
    onStream(stream) {
      if (role === 'acceptor' && control === undefined) startControl(stream);
      else if (session !== undefined) onStream(session, stream);
      else if (early.length < EARLY_STREAMS_MAX) early.push(stream);
      else stream.reset();
    },
    onClose(error) {
      greeted.reject(
        error ?? new AppError('ERR_STREAM_RESET', 'session: the peer hung up before its hello', { retryable: true }),
      );
      if (session !== undefined) onClose(session, error);
    },
  });

  function startControl(stream: YamuxStream): void {
    control = stream;
    stream.on('error', (error) => yamux.destroy(error));
    makeLineReader(stream, {
      lineBytesMax: CONTROL_LINE_BYTES_MAX,
      onLine: digest,
      onEnd: () => yamux.destroy(new AppError('ERR_MALFORMED', 'session: the control stream has ended')),
      onError: (error) => yamux.destroy(error),
    });
    void writeLine(stream, { hello });
  }

  function digest(line: unknown): void {
    try {
      const parsed = parseControlLine(line);
      if (parsed === undefined) return;
      if ('hello' in parsed) greeted.resolve(parsed.hello);
      else if ('closed' in parsed) remember(parsed.closed.stream, parsed.closed.reason);
      else if (!draining) {
        draining = true;
        if (session !== undefined) onDraining(session);
      }
    } catch (error) {
      yamux.destroy(error as AppError);
    }
  }

  function remember(stream: number, reason: WireReason): void {
    reasons.set(stream, reason);
    const [oldest] = reasons.keys();
    if (reasons.size > CLOSED_REASONS_MAX && oldest !== undefined) reasons.delete(oldest);
  }

  if (role === 'dialler') startControl(yamux.openStream());
  const timer = setTimeout(() => {
    greeted.reject(
      new AppError('ERR_TIMEOUT', `peer ${peer}: no hello in ${HANDSHAKE_TIMEOUT_MS} ms`, { retryable: true }),
    );
  }, HANDSHAKE_TIMEOUT_MS);
  try {
    const theirs = await greeted.promise;
    if (theirs.peer !== peer) {
      throw new AppError('ERR_MALFORMED', `peer ${peer}: its hello names another peer than its certificate`);
    }
    session = {
      peer,
      hello: theirs,
      get draining() {
        return draining;
      },
      get rttMs() {
        return yamux.rttMs;
      },
      openStream: () => yamux.openStream(),
      tellClosed(stream, reason) {
        if (control?.writable) void writeLine(control, { closed: { stream: stream.id, reason } });
      },
      reasonOf: (stream) => reasons.get(stream.id),
      drain(deadlineMs) {
        if (control?.writable) void writeLine(control, { drain: { deadlineMs } });
      },
      close: () => yamux.destroy(),
      destroy: (error) => yamux.destroy(error),
    };
    for (const stream of early) onStream(session, stream);
    return session;
  } catch (error) {
    yamux.destroy(error as AppError);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
