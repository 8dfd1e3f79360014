/**
 * A session: one long-lived mTLS connection with a peer, multiplexed by yamux, with a control stream that both have greeted on.
 * Either side opens streams over it, whoever dialled.
 */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { AppError } from '../api/errors.ts';
import type { Reason, WireReason } from '../api/reasons.ts';
import { DistrustError } from '../fabric/distrust.ts';
import { makeAccount, type PeerAccount } from './account.ts';
import { endsOf, type ConnectionEnds } from './connection-ends.ts';
import { parseControlLine, type ControlLine, type Hello } from './hello.ts';
import {
  CLOSED_REASONS_MAX,
  CONTROL_BACKLOG_BYTES_MAX,
  CONTROL_LINE_BYTES_MAX,
  CUT_REASON_WAIT_MS,
  EARLY_STREAMS_MAX,
  DRAIN_DEADLINE_MAX_MS,
  HANDSHAKE_TIMEOUT_MS,
  OVERLOADED_BACKLOG_BYTES_MAX,
  RETIRE_LOOK_MS,
  STREAMS_PER_SESSION_MAX,
} from './limits.ts';
import { makePeerBounds, type PeerBound } from './peer-bounds.ts';
import { makeSessionMemory } from './session-memory.ts';
import { makeWithdrawals } from './withdrawals.ts';
import { encodeLine, makeLineReader } from './wire/lines.ts';
import { WINDOW_BYTES, WINDOW_BYTES_MAX, WINDOW_PRESSED_BYTES } from './yamux/limits.ts';
import { openYamux, type YamuxSession } from './yamux/session.ts';
import type { YamuxStream } from './yamux/stream.ts';

/** The dialler opens it at once. */
const CONTROL_STREAM_ID = 1;

/** Why a stream came to a bad end, where the session can tell. */
export type Cut =
  | {
      readonly kind: 'session-lost';
      readonly message: string;
      /** Where this end has ended it, since it believes the peer's certificate no more. */
      readonly reason?: Reason;
    }
  | ({ readonly kind: 'told' } & Told);

/** The peer's own word, as coarse as the wire has it. */
export interface Told {
  readonly reason: WireReason;
  /** No endpoint has had a byte of the stream. */
  readonly unserved?: true | undefined;
}

export interface PeerSession {
  readonly form: 'session';
  readonly peer: string;
  /** What the peer has proved its name with, and the chain that came with it. */
  readonly certificate: X509Certificate | undefined;
  /** Of its connection. */
  readonly ends: ConnectionEnds | undefined;
  readonly hello: Hello;
  /** The peer takes no new streams. */
  readonly draining: boolean;
  /** As many streams of ours are open as the peer takes, or as this end allows itself. */
  readonly full: boolean;
  readonly rttMs: number | undefined;
  /** For how long nothing was heard of it. */
  readonly silentMs: number;
  /** What waits for its peer, or of it, in memory. */
  readonly memory: PeerAccount;
  /** Much goes over it now: what is in a hurry had better take another one. */
  readonly busy: boolean;
  /** Open ones besides the control stream, whoever opened them. */
  readonly streams: number;
  /** @throws {AppError} `ERR_BOUND_EXCEEDED` when it is full, `ERR_STREAM_RESET` when it takes none any more. */
  openStream(): YamuxStream;
  /** Tells the peer why the stream it sees reset was cut, as coarse as the wire has it. */
  tellClosed(stream: YamuxStream, reason: WireReason): void;
  /** The same of one of which no endpoint has had a byte: its client may go elsewhere, whatever it has sent. */
  tellUnserved(stream: YamuxStream, reason: WireReason): void;
  /** What the peer has said so far of a stream that it reset. */
  toldOf(stream: YamuxStream): Told | undefined;
  /** Asks the peer to refuse a stream of ours, unless it has answered already. Only where it says `EARLY_FEATURE`. */
  withdraw(stream: YamuxStream): void;
  /** Whether the peer asks that of a stream of its own. */
  isWithdrawn(stream: YamuxStream): boolean;
  /** Called when it does; the result: that is awaited no longer. */
  onWithdrawn(stream: YamuxStream, act: () => void): () => void;
  /**
   * Asks why a stream failed. The peer's word may come behind its reset, which overtakes waiting data: it has
   * {@link CUT_REASON_WAIT_MS}. Undefined when the peer says nothing: then its client or its service has left.
   */
  explainCut(stream: YamuxStream): Promise<Cut | undefined>;
  drain(deadlineMs: number): void;
  /** Whether the peer has had all that was sent so far: of a stream that is gone here too, whose last bytes may be under way still. */
  isDelivered(): Promise<boolean>;
  /** Neither end opens streams over it any more; it ends when its last one has, however long that takes. */
  retire(): void;
  /** Ends it without an error of this end; streams that are open are reset all the same. */
  close(): void;
  destroy(error: AppError): void;
}

export interface SessionOptions {
  readonly socket: TLSSocket;
  readonly role: 'dialler' | 'acceptor';
  /** The name in the peer's certificate. */
  readonly peer: string;
  readonly hello: Hello;
  /** Of this peer, shared by all sessions with it; absent: of this session alone. */
  readonly bound?: PeerBound;
  onStream(session: PeerSession, stream: YamuxStream): void;
  onDraining(session: PeerSession): void;
  onClose(session: PeerSession, error: Error | undefined): void;
}

/**
 * Multiplexes the connection and exchanges hellos; no other stream is served before both.
 *
 * @throws {AppError} `ERR_TIMEOUT` after {@link HANDSHAKE_TIMEOUT_MS}, `ERR_MALFORMED` when the peer's hello is not one or
 *   names another peer than its certificate. The socket is destroyed then.
 */
export async function establishSession(options: SessionOptions): Promise<PeerSession> {
  const { socket, role, peer, hello, bound = boundOfOne(peer), onStream, onDraining, onClose } = options;
  const greeted = Promise.withResolvers<Hello>();
  greeted.promise.catch(() => undefined);
  const cuts = makeCutReasons();
  const withdrawals = makeWithdrawals();
  const certificate = socket.getPeerX509Certificate();
  const ends = endsOf(socket);
  const early: YamuxStream[] = [];
  let control: YamuxStream | undefined;
  let session: PeerSession | undefined;
  let isGreeted = false;
  let draining = false;
  let retiring: NodeJS.Timeout | undefined;
  let end: { readonly error: Error } | undefined;

  /** A peer that opens faster than it reads sees a bare reset, which says enough. */
  const sayOverloaded = (closed: { readonly stream: number; readonly unserved?: true }): void => {
    if ((control?.writableLength ?? 0) > OVERLOADED_BACKLOG_BYTES_MAX) return;
    say({ closed: { ...closed, reason: 'overloaded' } });
  };
  const memory = makeSessionMemory({
    account: bound.memory,
    mayEvict: ({ id }) => id !== CONTROL_STREAM_ID,
    evict(stream) {
      bound.refuse('buffers');
      sayOverloaded({ stream: stream.id });
      stream.reset(overloadedError(peer));
    },
  });

  const yamux: YamuxSession = openYamux({
    socket,
    role,
    streamsMax: STREAMS_PER_SESSION_MAX,
    conduct: {
      admits(streamId) {
        // The control stream is none of those that are bounded: without it a peer at its bound could have no further session.
        if (streamId === CONTROL_STREAM_ID) return true;
        const isAdmitted = bound.refusalOfStream() === undefined;
        if (!isAdmitted) sayOverloaded({ stream: streamId, unserved: true });
        return isAdmitted;
      },
      refused(streamId) {
        bound.refuse('streams');
        sayOverloaded({ stream: streamId, unserved: true });
      },
      tolerates: (act) => bound.tolerates(act),
      onHeld: memory.onHeld,
      onQueued: memory.onQueued,
      windowBytesMax: (beyondBytes) =>
        bound.memory.pressed
          ? WINDOW_PRESSED_BYTES
          : Math.min(WINDOW_BYTES + bound.windows.allowance(beyondBytes), WINDOW_BYTES_MAX),
      onPromised: (fromBytes, toBytes) => bound.windows.change(fromBytes, toBytes),
    },
    onStream(stream) {
      if (role === 'acceptor' && control === undefined) startControl(stream);
      else if (session !== undefined) onStream(session, stream);
      else if (early.length < EARLY_STREAMS_MAX) early.push(stream);
      else stream.reset();
    },
    onClose(error) {
      clearInterval(retiring);
      end = { error: error ?? new AppError('ERR_STREAM_RESET', 'session: the peer hung up', { retryable: true }) };
      cuts.close();
      memory.close();
      greeted.reject(end.error);
      if (session !== undefined) onClose(session, error);
    },
  });

  function startControl(stream: YamuxStream): void {
    control = stream;
    makeLineReader(stream, {
      lineBytesMax: CONTROL_LINE_BYTES_MAX,
      onLine: digest,
      onEnd: () => yamux.destroy(new AppError('ERR_MALFORMED', 'session: the control stream has ended')),
      onError: (error) => yamux.destroy(error),
    });
    say({ hello });
  }

  function digest(line: unknown): void {
    if (!bound.tolerates('control_lines')) throw new AppError('ERR_MALFORMED', 'session: a flood of control lines');
    const parsed = parseControlLine(line);
    if (parsed === undefined) return;
    if ('hello' in parsed) greet(parsed.hello);
    else if ('closed' in parsed) cuts.remember(parsed.closed.stream, parsed.closed);
    else if ('withdraw' in parsed) withdrawals.remember(parsed.withdraw.stream);
    else startDraining();
  }

  function greet(theirs: Hello): void {
    const isFirst = !isGreeted;
    isGreeted = true;
    greeted.resolve(theirs);
    // Neither end writes to another stream before it has heard this, and it was said before the first of them was opened.
    if (!isFirst || control === undefined || hello.window === undefined || theirs.window === undefined) return;
    yamux.beginWith(
      { receiveBytes: Math.min(hello.window, WINDOW_BYTES), sendBytes: Math.min(theirs.window, WINDOW_BYTES) },
      control,
    );
  }

  function startDraining(): void {
    if (draining) return;
    draining = true;
    if (session !== undefined) onDraining(session);
  }

  function say(line: ControlLine): void {
    if (control === undefined || !control.writable) return;
    control.write(encodeLine(line));
    if (control.writableLength <= CONTROL_BACKLOG_BYTES_MAX) return;
    yamux.destroy(
      new AppError('ERR_BOUND_EXCEEDED', 'session: the peer does not read its control stream', { retryable: true }),
    );
  }

  const isEmpty = (): boolean => yamux.streams <= (control === undefined ? 0 : 1);

  /** Later than the last stream: what the peer has opened meanwhile, before it heard of this, is served. */
  async function endWhenEmpty(): Promise<void> {
    if (isEmpty() && (await isDelivered()) && isEmpty()) yamux.destroy();
  }

  /** A ping goes behind all that was sent. */
  function isDelivered(): Promise<boolean> {
    return yamux.ping().then(
      () => true,
      () => false,
    );
  }

  function makeSession(theirs: Hello): PeerSession {
    let opened = 0;
    const streamsMax = Math.min(theirs.streams, STREAMS_PER_SESSION_MAX - 1);
    return {
      form: 'session',
      peer,
      certificate,
      ends,
      hello: theirs,
      get draining() {
        return draining;
      },
      get full() {
        return opened >= streamsMax;
      },
      get rttMs() {
        return yamux.rttMs;
      },
      get silentMs() {
        return performance.now() - yamux.lastReceivedMs;
      },
      memory: bound.memory,
      get busy() {
        return yamux.carriesBulk;
      },
      get streams() {
        return Math.max(0, yamux.streams - 1);
      },
      openStream() {
        if (!bound.memory.hasRoom) {
          bound.refuse('buffers');
          throw new AppError('ERR_BOUND_EXCEEDED', `peer ${peer}: its streams hold too much memory`, {
            retryable: true,
          });
        }
        if (opened >= streamsMax) {
          throw new AppError('ERR_BOUND_EXCEEDED', `peer ${peer}: ${streamsMax} streams are open`, { retryable: true });
        }
        // A peer may go away by the multiplexing's own word, without a `drain` line.
        if (!yamux.takesStreams) startDraining();
        const stream = yamux.openStream();
        opened++;
        stream.once('close', () => opened--);
        return stream;
      },
      toldOf: (stream) => cuts.known(stream.id),
      tellClosed: (stream, reason) => say({ closed: { stream: stream.id, reason } }),
      tellUnserved: (stream, reason) => say({ closed: { stream: stream.id, reason, unserved: true } }),
      withdraw: (stream) => say({ withdraw: { stream: stream.id } }),
      isWithdrawn: (stream) => withdrawals.isWithdrawn(stream.id),
      onWithdrawn: (stream, act) => withdrawals.onWithdrawn(stream.id, act),
      async explainCut(stream) {
        if (end !== undefined) {
          const { message } = end.error;
          const reason = end.error instanceof DistrustError ? { reason: end.error.reason } : {};
          return { kind: 'session-lost', message, ...reason };
        }
        const told = await cuts.wordOf(stream.id);
        return told === undefined ? undefined : { kind: 'told', ...told };
      },
      drain: (deadlineMs) => say({ drain: { deadlineMs } }),
      retire() {
        // Streams are not cut for it: the most that the wire can say.
        say({ drain: { deadlineMs: DRAIN_DEADLINE_MAX_MS } });
        startDraining();
        retiring ??= setInterval(() => void endWhenEmpty(), RETIRE_LOOK_MS);
      },
      isDelivered,
      close: () => yamux.destroy(),
      destroy: (error) => yamux.destroy(error),
    };
  }

  const timer = setTimeout(() => {
    greeted.reject(
      new AppError('ERR_TIMEOUT', `peer ${peer}: no hello in ${HANDSHAKE_TIMEOUT_MS} ms`, { retryable: true }),
    );
  }, HANDSHAKE_TIMEOUT_MS);
  try {
    if (role === 'dialler') startControl(yamux.openStream());
    const theirs = await greeted.promise;
    // A hello and the end may come in one piece: the end was heard when there was no session yet to tell it of.
    if (end !== undefined) throw end.error;
    if (theirs.peer !== peer) {
      throw new AppError('ERR_MALFORMED', `peer ${peer}: its hello names another peer than its certificate`);
    }
    session = makeSession(theirs);
    // Windows grow by the round trip: the first one is measured before anything else is under way.
    yamux.ping().catch(() => undefined);
    for (const stream of early) onStream(session, stream);
    return session;
  } catch (error) {
    yamux.destroy(error as AppError);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** For a session that is the only one with its peer. */
function boundOfOne(peer: string): PeerBound {
  return makePeerBounds({ account: makeAccount(), now: () => performance.now(), onRefused: () => undefined }).of(peer);
}

/** Why a stream is cut here for want of memory. */
function overloadedError(peer: string): AppError {
  const message = `peer ${peer}: what its streams hold has reached the bound, and this one was read the longest ago`;
  return new AppError('ERR_BOUND_EXCEEDED', message, { retryable: true });
}

interface CutReasons {
  remember(stream: number, told: Told): void;
  known(stream: number): Told | undefined;
  /** Waits for a word that may still be under way. */
  wordOf(stream: number): Promise<Told | undefined>;
  /** Nobody will say anything any more. */
  close(): void;
}

/** What the peer says of streams it has cut: kept for those who ask later, awaited by those who ask before it is heard. */
function makeCutReasons(): CutReasons {
  const words = new Map<number, Told>();
  const waiting = new Map<number, () => void>();
  return {
    remember(stream, { reason, unserved }) {
      words.set(stream, unserved === undefined ? { reason } : { reason, unserved });
      const [oldest] = words.keys();
      if (words.size > CLOSED_REASONS_MAX && oldest !== undefined) words.delete(oldest);
      waiting.get(stream)?.();
    },
    known: (stream) => words.get(stream),
    async wordOf(stream) {
      if (!words.has(stream)) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, CUT_REASON_WAIT_MS);
          waiting.set(stream, () => {
            clearTimeout(timer);
            resolve();
          });
        });
        waiting.delete(stream);
      }
      return words.get(stream);
    },
    close: () => waiting.forEach((resolve) => resolve()),
  };
}
