/** A yamux session: streams multiplexed over one ordered connection, which may be any Duplex (TLS, TCP, a pair in memory). */
import { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { AppError } from '../../api/errors.ts';
import { ByNumber } from '../../runtime/line.ts';
import type { Slab, SlabPool } from '../slabs/pool.ts';
import { readIntoSlabs } from '../slabs/reads.ts';
import {
  encodeHeader,
  FLAGS,
  FRAME_TYPES,
  type FrameHeader,
  GO_AWAY_CODES,
  hasFlag,
  makeFrameDecoder,
  violation,
} from './frame.ts';
import { CLOSE_LINGER_MS, WORK_PER_OPEN, WORK_PER_TURN_MAX } from './limits.ts';
import { makeBulkMeter } from './bulk-meter.ts';
import { makeOwnConduct, type Conduct } from './conduct.ts';
import { DEFAULT_TIMINGS, type LivenessTimings, startLiveness } from './liveness.ts';
import { makeScheduler } from './scheduler.ts';
import type { SendMemory } from './send-memory.ts';
import { firstStreamId, makePeerStreamIds, STREAM_ID_MAX, type SessionRole } from './stream-ids.ts';
import { type InitialWindows, resetError, type StreamLink, YamuxStream } from './stream.ts';

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
  /** What the peer may do, and how much; without it the rate of pings alone is held. */
  readonly conduct?: Conduct;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
  readonly timings?: LivenessTimings;
  /** What it reads into and sends from; tests give memory that is spoiled when it comes back. */
  readonly pool?: SlabPool | undefined;
  readonly sendMemory?: SendMemory | undefined;
}

export interface YamuxSession {
  /** The peer is told at once; data may be written at once. @throws {AppError} `ERR_BOUND_EXCEEDED`, `ERR_STREAM_RESET`, both retryable. */
  openStream(): YamuxStream;
  /** Both ends have said with what windows all streams but this one begin; on none of the others was anything written or read yet. */
  beginWith(windows: InitialWindows, besides: YamuxStream): void;
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
  /** Much goes over it now, in either direction. */
  readonly carriesBulk: boolean;
  /** By the session's clock. */
  readonly lastReceivedMs: number;
  /** False once openStream() would throw for good: ended, or either end said go away. */
  readonly takesStreams: boolean;
  readonly closed: boolean;
}

/** Starts the session at once. It pauses the socket for a turn of the event loop at most: what a peer may send is bounded by the windows of its streams. */
export function openYamux(options: YamuxOptions): YamuxSession {
  const { socket, role, streamsMax, onStream, onClose, now = () => performance.now(), pool } = options;
  const conduct = options.conduct ?? makeOwnConduct(now);
  const streams = new ByNumber<YamuxStream>();
  const meter = makeBulkMeter(now);
  const peerIds = makePeerStreamIds(role === 'dialler' ? 'acceptor' : 'dialler');
  const openCounts = { us: 0, peer: 0 };
  let nextId = firstStreamId(role);
  let receiving: YamuxStream | undefined;
  /** Since the last rest: what comes slowly only leads to a rest that nobody notices. */
  let workInTurn = 0;
  /** What has come while the session rests. */
  const backlog: Received[] = [];
  let onDigested: (() => void) | undefined;
  let lender: Slab | undefined;
  /** Those that have got bytes of the lender: in a turn at most WORK_PER_TURN_MAX. */
  const fed: YamuxStream[] = [];
  let refusedStreams = 0;
  let windows: InitialWindows | undefined;
  let saidGoAway = false;
  let heardGoAway = false;
  let closing = false;
  let closed = false;

  const openedBy = (id: number): 'us' | 'peer' => (id % 2 === nextId % 2 ? 'us' : 'peer');

  // Sending.

  const sendControl = (header: FrameHeader): void => scheduler.sendControl(header);

  const link: StreamLink = {
    sendControl,
    sendData(header, payload) {
      if (closed) return;
      meter.add(header.length);
      scheduler.sendData(header, payload);
    },
    onSendable: (stream) => scheduler.add(stream),
    onGone(stream) {
      scheduler.remove(stream);
      if (receiving === stream) receiving = undefined;
      if (streams.delete(stream.id)) openCounts[openedBy(stream.id)] -= 1;
      endWhenIdle();
    },
    onHeld: (stream) => conduct.onHeld(stream),
    windowBytesMax: (beyondBytes) => conduct.windowBytesMax(beyondBytes),
    onPromised: (fromBytes, toBytes) => conduct.onPromised(fromBytes, toBytes),
    leastRttMs: () => liveness.leastRttMs,
    now,
  };

  function addStream(id: number): YamuxStream {
    const stream = new YamuxStream({ id, link, openedBy: openedBy(id), windows });
    streams.set(id, stream);
    openCounts[openedBy(id)] += 1;
    conduct.onHeld(stream);
    return stream;
  }

  // Receiving.

  function acceptStream(id: number): void {
    peerIds.use(id);
    if (!isAdmitted(id)) {
      refusedStreams += 1;
      sendControl({ type: FRAME_TYPES.windowUpdate, flags: FLAGS.rst, streamId: id, length: 0 });
      tolerate('stream_refusals');
      return;
    }
    workInTurn += WORK_PER_OPEN;
    const stream = addStream(id);
    sendControl({ type: FRAME_TYPES.windowUpdate, flags: FLAGS.ack, streamId: id, length: 0 });
    if (!closed) onStream(stream);
  }

  function isAdmitted(id: number): boolean {
    if (saidGoAway) return false;
    if (openCounts.peer < streamsMax) return conduct.admits(id);
    conduct.refused(id);
    return false;
  }

  /** @throws {AppError} `ERR_MALFORMED` when the peer does it without end. */
  function tolerate(act: Parameters<Conduct['tolerates']>[0]): void {
    if (!conduct.tolerates(act)) throw violation(`a flood of ${act.replaceAll('_', ' ')}`);
  }

  function onStreamReset(stream: YamuxStream): void {
    const isEarly = openedBy(stream.id) === 'peer' && stream.isUnanswered;
    stream.receiveReset();
    if (isEarly) tolerate('stream_resets');
  }

  /** Frames of streams that are gone are skipped: the peer sent them before it heard of it. */
  function onStreamHeader(header: FrameHeader): void {
    const id = header.streamId;
    if (hasFlag(header, FLAGS.syn)) acceptStream(id);
    else if (openedBy(id) === 'us' ? id >= nextId : !peerIds.isUsed(id)) throw violation(`no stream ${id} was opened`);
    const stream = streams.get(id);
    if (stream === undefined || stream.isComplete) return;
    if (hasFlag(header, FLAGS.rst)) return onStreamReset(stream);
    receiving = stream;
    stream.receiveAck();
    if (header.type === FRAME_TYPES.data) stream.receiveFrame(header.length);
    else stream.receiveWindow(header.length);
  }

  function onPing({ flags, length }: FrameHeader): void {
    if (flags === FLAGS.ack) {
      liveness.answered(length);
      return scheduler.pump(); // Data may have waited for it.
    }
    tolerate('pings');
    sendControl({ type: FRAME_TYPES.ping, flags: FLAGS.ack, streamId: 0, length });
  }

  function onGoAway(code: number): void {
    heardGoAway = true;
    if (code === GO_AWAY_CODES.normal) return;
    finish(new AppError('ERR_STREAM_RESET', `session: the peer ended it with go away ${code}`, { retryable: true }));
  }

  const decoder = makeFrameDecoder({
    isTired: () => workInTurn >= WORK_PER_TURN_MAX,
    onHeader(header) {
      receiving = undefined;
      if (closed) return;
      workInTurn += 1;
      if (header.type === FRAME_TYPES.ping) onPing(header);
      else if (header.type === FRAME_TYPES.goAway) onGoAway(header.length);
      else onStreamHeader(header);
    },
    onPayload(bytes) {
      meter.add(bytes.length);
      if (receiving === undefined) return;
      if (lender !== undefined && !fed.includes(receiving)) fed.push(receiving);
      receiving.receiveData(bytes, lender);
    },
    onFrameEnd(header) {
      if (hasFlag(header, FLAGS.fin)) receiving?.receiveFin();
    },
  });

  function onBytes(bytes: Buffer, slab?: Slab): void {
    if (closed) return; // Read on all the same, so that a last frame of ours is not lost in a TCP reset.
    liveness.received();
    // TLS goes on with what it has after a pause.
    if (backlog.length > 0) return keep({ bytes, slab });
    const left = digest(bytes, slab);
    if (workInTurn >= WORK_PER_TURN_MAX) rest({ bytes: left, slab });
  }

  /** @returns what is left when there was too much work in it for one turn. */
  function digest(bytes: Buffer, slab: Slab | undefined): Buffer {
    let takenBytes = bytes.length;
    lender = slab;
    // A chunk may hold thousands of frames that want an answer each: those go out together.
    scheduler.hold();
    try {
      takenBytes = decoder.push(bytes);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      finish(error, GO_AWAY_CODES.protocolError);
    } finally {
      lender = undefined;
      for (const stream of fed) stream.receivedAll();
      fed.length = 0;
      scheduler.letGo();
    }
    return bytes.subarray(takenBytes);
  }

  function keep(received: Received): void {
    received.slab?.hold();
    backlog.push(received);
  }

  /** Whatever else this process serves gets its turn before this session goes on. */
  function rest(left: Received): void {
    socket.pause();
    keep(left);
    setImmediate(goOn);
  }

  function goOn(): void {
    workInTurn = 0;
    for (let next = backlog[0]; next !== undefined; next = backlog[0]) {
      const left = closed ? NOTHING : digest(next.bytes, next.slab);
      if (workInTurn >= WORK_PER_TURN_MAX && !closed) {
        backlog[0] = { ...next, bytes: left };
        return void setImmediate(goOn);
      }
      backlog.shift();
      next.slab?.release();
    }
    onDigested?.();
    socket.resume();
  }

  /** What has come before the end counts. */
  function whenDigested(act: () => void): void {
    reads?.flush();
    if (backlog.length === 0) act();
    else onDigested ??= act;
  }

  // Ending.

  function finish(error: Error | undefined, goAwayCode?: number): void {
    if (closed) return;
    closed = true;
    scheduler.stop();
    liveness.stop();
    if (error !== undefined && goAwayCode === undefined) socket.destroy();
    else lingerOn(socket, goAwayCode);
    const lost = resetError('its session was lost', error);
    for (const stream of streams.items()) stream.lose(lost);
    conduct.onQueued(0);
    onClose(error);
  }

  /** A clean end: nothing is open, and neither end will open anything. */
  function endWhenIdle(): void {
    if (closing && streams.size === 0) finish(undefined);
  }

  function onSocketGone(what: string, cause?: Error): void {
    const hasCutStreams = streams.items().some((stream) => !stream.isComplete);
    if (cause === undefined && !hasCutStreams) return finish(undefined);
    finish(new AppError('ERR_STREAM_RESET', `session: ${what}`, { retryable: true, cause }));
  }

  /** What was read cannot be made sense of, by a fault of ours: as if the connection had failed. */
  const onFailure = (error: Error): void => onSocketGone('it failed here', error);

  function goAway(): void {
    if (!saidGoAway) {
      sendControl({ type: FRAME_TYPES.goAway, flags: 0, streamId: 0, length: GO_AWAY_CODES.normal });
    }
    saidGoAway = true;
  }

  const takesStreams = (): boolean => !closed && !saidGoAway && !heardGoAway && nextId <= STREAM_ID_MAX;

  function openStream(): YamuxStream {
    if (!takesStreams()) {
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
  const scheduler = makeScheduler({
    socket,
    liveness,
    memory: options.sendMemory,
    now,
    onQueued: (bytes) => conduct.onQueued(bytes),
    onOverrun() {
      finish(new AppError('ERR_BOUND_EXCEEDED', 'session: the peer sends but does not read', { retryable: true }));
    },
  });
  const reads = socket instanceof Socket ? readIntoSlabs({ socket, onBytes, onFailure, pool }) : undefined;
  socket.on('data', (chunk: Buffer) => onBytes(chunk));
  socket.on('end', () => whenDigested(() => onSocketGone('the peer closed the connection')));
  socket.on('error', (error) => {
    reads?.flush();
    onSocketGone('the connection failed', error);
  });
  socket.on('close', () => whenDigested(() => onSocketGone('the connection was closed')));
  if (socket.destroyed) process.nextTick(onSocketGone, 'the connection was closed');

  return {
    openStream,
    beginWith(agreed, besides) {
      windows = agreed;
      for (const stream of streams.items()) if (stream !== besides) stream.begin(agreed);
    },
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
    get carriesBulk() {
      return meter.isBulk;
    },
    get lastReceivedMs() {
      return liveness.lastReceivedMs;
    },
    get takesStreams() {
      return takesStreams();
    },
    get closed() {
      return closed;
    },
  };
}

const NOTHING = Buffer.alloc(0);

/** Bytes of the other end; lent by the slab, if there is one. */
interface Received {
  readonly bytes: Buffer;
  readonly slab: Slab | undefined;
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
