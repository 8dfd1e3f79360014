/** A yamux session: streams multiplexed over one ordered connection, which may be any Duplex (TLS, TCP, a pair in memory). */
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { AppError } from '../../api/errors.ts';
import {
  encodeHeader,
  FLAGS,
  FRAME_TYPES,
  type FrameHeader,
  GO_AWAY_CODES,
  hasFlag,
  HEADER_BYTES,
  makeFrameDecoder,
  violation,
} from './frame.ts';
import { CLOSE_LINGER_MS, CONTROL_BACKLOG_BYTES_MAX, FRAME_BYTES_MAX, PINGS_PER_SECOND_MAX } from './limits.ts';
import { DEFAULT_TIMINGS, type LivenessTimings, startLiveness } from './liveness.ts';
import { firstStreamId, makePeerStreamIds, type SessionRole } from './stream-ids.ts';
import { type StreamLink, YamuxStream } from './stream.ts';

export interface YamuxOptions {
  /** Connected, with nobody else reading it; bytes read too far are put back with `unshift`. The session owns it now. */
  readonly socket: Duplex;
  /** `dialler` opened the connection. */
  readonly role: SessionRole;
  /** Streams at once, for each of the two directions of opening. */
  readonly streamsMax: number;
  /** Takes a stream the peer opened, at once (there is no backlog): attach listeners, or `reset()` it to refuse. */
  readonly onStream: (stream: YamuxStream) => void;
  /** Called once; without an error when the session ended with no stream cut off. */
  readonly onClose: (error: Error | undefined) => void;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
  readonly timings?: LivenessTimings;
}

export interface YamuxSession {
  /** The peer is told at once; data may be written at once. @throws {AppError} `ERR_BOUND_EXCEEDED`, `ERR_STREAM_RESET`, both retryable. */
  openStream(): YamuxStream;
  /** Round trip in milliseconds. @throws {AppError} `ERR_TIMEOUT`, `ERR_BOUND_EXCEEDED`, `ERR_STREAM_RESET`. */
  ping(): Promise<number>;
  /** Tells the peer that no new streams are taken; those that are open go on. */
  goAway(): void;
  /** `goAway`, and the connection ends when its last stream has. No deadline: `destroy` after yours. */
  close(): void;
  /** Ends it now: every stream that is not complete is reset, at both ends. */
  destroy(error?: Error): void;
  /** Open streams, both directions of opening. */
  readonly streams: number;
  /** Streams the peer opened beyond `streamsMax` or after `goAway`, answered by RST. */
  readonly refusedStreams: number;
  readonly rttMs: number | undefined;
  /** By the session's clock. */
  readonly lastReceivedMs: number;
  /** False once openStream() would throw for good: ended, or either end said go away. */
  readonly takesStreams: boolean;
  readonly closed: boolean;
}

/** Starts the session at once. It never pauses the socket: what a peer may send is bounded by the windows of its streams. */
export function openYamux(options: YamuxOptions): YamuxSession {
  const { socket, role, streamsMax, onStream, onClose, now = () => performance.now() } = options;
  const streams = new Map<number, YamuxStream>();
  const sendable = new Set<YamuxStream>();
  const peerIds = makePeerStreamIds(role === 'dialler' ? 'acceptor' : 'dialler');
  const openCounts = { us: 0, peer: 0 };
  let nextId = firstStreamId(role);
  let receiving: YamuxStream | undefined;
  let refusedStreams = 0;
  let pingWindowStartMs = 0;
  let pingsInWindow = 0;
  let saidGoAway = false;
  let heardGoAway = false;
  let closing = false;
  let closed = false;
  let pumping = false;

  const openedBy = (id: number): 'us' | 'peer' => (id % 2 === nextId % 2 ? 'us' : 'peer');

  // Sending.

  function write(bytes: Buffer): void {
    liveness.sent();
    socket.write(bytes);
  }

  function sendControl(header: FrameHeader): void {
    if (closed) return;
    write(encodeHeader(header));
    const excessBytes = socket.writableLength - socket.writableHighWaterMark - FRAME_BYTES_MAX - HEADER_BYTES;
    if (excessBytes <= CONTROL_BACKLOG_BYTES_MAX) return;
    finish(new AppError('ERR_BOUND_EXCEEDED', 'session: the peer sends but does not read', { retryable: true }));
  }

  /** Lets streams send in turn, one frame each, until the socket has enough. */
  function pump(): void {
    if (pumping || closed) return; // A stream that gets to send more from within is in `sendable` again.
    pumping = true;
    socket.cork();
    for (const stream of sendable) {
      if (socket.writableNeedDrain || closed) break;
      sendable.delete(stream);
      stream.sendFrame(FRAME_BYTES_MAX);
      if (stream.isSendable) sendable.add(stream); // At the end of the iteration's order: round robin.
    }
    pumping = false;
    socket.uncork();
  }

  const link: StreamLink = {
    sendControl,
    sendData(header, payload) {
      if (closed) return;
      write(encodeHeader(header));
      for (const bytes of payload) write(bytes);
    },
    onSendable(stream) {
      sendable.add(stream);
      pump();
    },
    onGone(stream) {
      sendable.delete(stream);
      if (receiving === stream) receiving = undefined;
      if (streams.delete(stream.id)) openCounts[openedBy(stream.id)] -= 1;
      endWhenIdle();
    },
  };

  function addStream(id: number): YamuxStream {
    const stream = new YamuxStream({ id, link, openedBy: openedBy(id) });
    streams.set(id, stream);
    openCounts[openedBy(id)] += 1;
    return stream;
  }

  // Receiving.

  function acceptStream(id: number): void {
    peerIds.use(id);
    if (saidGoAway || openCounts.peer >= streamsMax) {
      refusedStreams += 1;
      sendControl({ type: FRAME_TYPES.windowUpdate, flags: FLAGS.rst, streamId: id, length: 0 });
      return;
    }
    const stream = addStream(id);
    sendControl({ type: FRAME_TYPES.windowUpdate, flags: FLAGS.ack, streamId: id, length: 0 });
    if (!closed) onStream(stream);
  }

  /** Frames of streams that are gone are skipped: the peer sent them before it heard of it. */
  function onStreamHeader(header: FrameHeader): void {
    const id = header.streamId;
    if (hasFlag(header, FLAGS.syn)) acceptStream(id);
    else if (openedBy(id) === 'us' ? id >= nextId : !peerIds.isUsed(id)) throw violation(`no stream ${id} was opened`);
    const stream = streams.get(id);
    if (stream === undefined || stream.isComplete) return;
    if (hasFlag(header, FLAGS.rst)) return stream.receiveReset();
    receiving = stream;
    stream.receiveAck();
    if (header.type === FRAME_TYPES.data) stream.receiveFrame(header.length);
    else stream.receiveWindow(header.length);
  }

  function onPing({ flags, length }: FrameHeader): void {
    if (flags === FLAGS.ack) return liveness.answered(length);
    if (now() - pingWindowStartMs >= 1000) {
      pingWindowStartMs = now();
      pingsInWindow = 0;
    }
    pingsInWindow += 1;
    if (pingsInWindow > PINGS_PER_SECOND_MAX) throw violation(`more than ${PINGS_PER_SECOND_MAX} pings in a second`);
    sendControl({ type: FRAME_TYPES.ping, flags: FLAGS.ack, streamId: 0, length });
  }

  function onGoAway(code: number): void {
    heardGoAway = true;
    if (code === GO_AWAY_CODES.normal) return;
    finish(new AppError('ERR_STREAM_RESET', `session: the peer ended it with go away ${code}`, { retryable: true }));
  }

  const decoder = makeFrameDecoder({
    onHeader(header) {
      receiving = undefined;
      if (closed) return;
      if (header.type === FRAME_TYPES.ping) onPing(header);
      else if (header.type === FRAME_TYPES.goAway) onGoAway(header.length);
      else onStreamHeader(header);
    },
    onPayload(bytes) {
      receiving?.receiveData(bytes);
    },
    onFrameEnd(header) {
      if (hasFlag(header, FLAGS.fin)) receiving?.receiveFin();
    },
  });

  function onData(chunk: Buffer): void {
    if (closed) return; // Read on all the same, so that a last frame of ours is not lost in a TCP reset.
    liveness.received();
    try {
      decoder.push(chunk);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      finish(error, GO_AWAY_CODES.protocolError);
    }
  }

  // Ending.

  function finish(error: Error | undefined, goAwayCode?: number): void {
    if (closed) return;
    closed = true;
    liveness.stop();
    if (error !== undefined && goAwayCode === undefined) socket.destroy();
    else lingerOn(socket, goAwayCode);
    for (const stream of streams.values()) stream.lose(error);
    onClose(error);
  }

  /** A clean end: nothing is open, and neither end will open anything. */
  function endWhenIdle(): void {
    if (closing && streams.size === 0) finish(undefined);
  }

  function onSocketGone(what: string, cause?: Error): void {
    const hasCutStreams = [...streams.values()].some((stream) => !stream.isComplete);
    if (cause === undefined && !hasCutStreams) return finish(undefined);
    finish(new AppError('ERR_STREAM_RESET', `session: ${what}`, { retryable: true, cause }));
  }

  function goAway(): void {
    if (!saidGoAway) {
      sendControl({ type: FRAME_TYPES.goAway, flags: 0, streamId: 0, length: GO_AWAY_CODES.normal });
    }
    saidGoAway = true;
  }

  function openStream(): YamuxStream {
    if (closed || saidGoAway || heardGoAway || nextId > 0xffff_ffff) {
      throw new AppError('ERR_STREAM_RESET', 'session: takes no new streams', { retryable: true });
    }
    if (openCounts.us >= streamsMax) {
      throw new AppError('ERR_BOUND_EXCEEDED', `session: ${streamsMax} streams are open`, { retryable: true });
    }
    const stream = addStream(nextId);
    nextId += 2;
    sendControl({ type: FRAME_TYPES.windowUpdate, flags: FLAGS.syn, streamId: stream.id, length: 0 });
    return stream;
  }

  const liveness = startLiveness({
    timings: options.timings ?? DEFAULT_TIMINGS,
    now,
    sendPing: (value) => sendControl({ type: FRAME_TYPES.ping, flags: FLAGS.syn, streamId: 0, length: value }),
    onDead: finish,
  });
  socket.on('data', onData);
  socket.on('drain', pump);
  socket.on('end', () => onSocketGone('the peer closed the connection'));
  socket.on('error', (error) => onSocketGone('the connection failed', error));
  socket.on('close', () => onSocketGone('the connection was closed'));
  if (socket.destroyed) process.nextTick(onSocketGone, 'the connection was closed');

  return {
    openStream,
    ping: () => (closed ? Promise.reject(new AppError('ERR_STREAM_RESET', 'session: ended')) : liveness.ping()),
    goAway,
    close() {
      goAway();
      closing = true;
      endWhenIdle();
    },
    destroy: (error) => finish(error ?? new AppError('ERR_STREAM_RESET', 'session: ended here', { retryable: true })),
    get streams() {
      return streams.size;
    },
    get refusedStreams() {
      return refusedStreams;
    },
    get rttMs() {
      return liveness.rttMs;
    },
    get lastReceivedMs() {
      return liveness.lastReceivedMs;
    },
    get takesStreams() {
      return !closed && !saidGoAway && !heardGoAway;
    },
    get closed() {
      return closed;
    },
  };
}

/** Ends our direction with a last word, and gives the other end a moment to read it and close. */
function lingerOn(socket: Duplex, goAwayCode: number | undefined): void {
  if (socket.destroyed) return;
  if (goAwayCode !== undefined) {
    socket.write(encodeHeader({ type: FRAME_TYPES.goAway, flags: 0, streamId: 0, length: goAwayCode }));
  }
  socket.end();
  const timer = setTimeout(() => socket.destroy(), CLOSE_LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}
