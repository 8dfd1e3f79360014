/**
 * Whose turn it is to send on a session, how much, and when everybody waits.
 *
 *     sendControl ----------------------------------------------.
 *     add -> hasty ---.                                          v
 *     add -> sendable -> pump -> nextToSend -> sendFrame -> sendData -> write -> socket
 *                          ^                                               |
 *                          '---- drain, or an answer to a mark <-----------'
 *
 * Control frames go at once. Then streams with little to send, as long as the others are served too; those take turns, a frame
 * each. All data waits while the socket holds enough of it, or the path does (in-flight.ts).
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { encodeHeader, HEADER_BYTES, type FrameHeader } from './frame.ts';
import { frameBuffers as ownFrameBuffers, type FrameBuffers, makeFrameBuffers } from './frame-buffers.ts';
import { makeInFlight } from './in-flight.ts';
import {
  CONTROL_BACKLOG_BYTES_MAX,
  CROWDED_FOR_MS,
  FRAME_ALONE_BYTES_MAX,
  FRAME_BYTES_MAX,
  GATHERED_AGAIN_MS,
  GATHERED_BYTES_MAX,
  HASTY_BYTES_MAX,
  HASTY_RESERVE_BYTES,
  SOCKET_BYTES_MAX,
} from './limits.ts';
import type { Liveness } from './liveness.ts';

/** A stream, as far as its turn goes. */
export interface Sender {
  /** Little enough to go ahead of others. */
  readonly isHasty: boolean;
  /** It has bytes, and a window for some of them. */
  readonly isSendable: boolean;
  /** Sends one data frame of at most so many bytes, by {@link Scheduler.sendData}. */
  sendFrame(bytesMax: number): void;
}

export interface Scheduler {
  /** Sends a frame without payload at once, ahead of data that waits. */
  sendControl(header: FrameHeader): void;
  /** Sends one data frame. Only within `sendFrame`. */
  sendData(header: FrameHeader, payload: readonly Buffer[]): void;
  /** It is sendable, and gets its turn. */
  add(sender: Sender): void;
  /** It is gone, whether it had anything to send or not. */
  remove(sender: Sender): void;
  /** The path may have room again. */
  pump(): void;
  /** Nothing is sent any more; what was sent goes out. */
  stop(): void;
}

export interface SchedulerOptions {
  readonly socket: Duplex;
  readonly liveness: Pick<Liveness, 'sent' | 'mark' | 'takesMarks' | 'leastRttMs'>;
  /** Absent: those of this process. */
  readonly frameBuffers?: FrameBuffers | undefined;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Bytes that wait in the socket. */
  readonly onQueued: (bytes: number) => void;
  /** More control frames wait in the socket than {@link CONTROL_BACKLOG_BYTES_MAX}: the peer makes us send and does not read. */
  readonly onOverrun: () => void;
}

export function makeScheduler({ socket, liveness, now, onQueued, onOverrun, ...options }: SchedulerOptions): Scheduler {
  /** Those with little to send, and the others: both in turn. */
  const hasty = new Set<Sender>();
  const sendable = new Set<Sender>();
  const inFlight = makeInFlight();
  /** A pair in memory has written what its reader has not read yet. */
  const buffers =
    socket instanceof Socket ? (options.frameBuffers ?? ownFrameBuffers) : makeFrameBuffers({ keptBytesMax: 0 });
  let isStopped = false;
  let isPumping = false;
  let isGathering = false;
  let gatheredMs = -Infinity;
  let waitsLonger = false;
  /** What went ahead of those that wait in `sendable` since one of them was served. */
  let aheadBytes = 0;
  /** When each had much to send, and when somebody had little who had not had much before. */
  const bulkMs = new WeakMap<Sender, number>();
  let crowdedMs = -Infinity;

  function add(sender: Sender): void {
    if (sender.isHasty) hasty.add(sender);
    else sendable.add(sender);
    pump();
  }

  function remove(sender: Sender): void {
    hasty.delete(sender);
    sendable.delete(sender);
  }

  /** Lets streams send in turn, one frame each, until the socket or the path has enough. */
  function pump(): void {
    if (isPumping || isStopped) return; // A stream that gets to send more from within is in one of the sets again.
    isPumping = true;
    socket.cork();
    for (let sender = nextToSend(); sender !== undefined; sender = nextToSend()) {
      serve(sender);
      mark();
    }
    isPumping = false;
    if (sendable.size > 0) inFlight.wait(now());
    mark();
    socket.uncork();
  }

  /** Those with little to send come first, as long as the others are served too. */
  function nextToSend(): Sender | undefined {
    if (isStopped || socket.writableLength >= beginBelowBytes()) return undefined;
    const first = inFlight.hasRoom(HASTY_RESERVE_BYTES) ? firstOf(hasty) : undefined;
    if (first !== undefined && aheadBytes < FRAME_BYTES_MAX) return first;
    return (inFlight.hasRoom(0) ? firstOf(sendable) : undefined) ?? first;
  }

  function serve(sender: Sender): void {
    const nowMs = now();
    if (hasty.delete(sender)) {
      aheadBytes += HASTY_BYTES_MAX;
      // The rest of a large piece is small, too, and so is what bulk brings in one turn now and then.
      if (nowMs - (bulkMs.get(sender) ?? -Infinity) >= CROWDED_FOR_MS) crowdedMs = nowMs;
    } else if (sendable.delete(sender)) {
      aheadBytes = 0;
      bulkMs.set(sender, nowMs);
    }
    sender.sendFrame(frameBytesMax());
    if (sender.isSendable) sendable.add(sender); // Behind all others: round robin.
  }

  /** Somebody with little to say is here, and will soon be again: nothing is done then for which he would wait. */
  const isCrowded = (): boolean => now() - crowdedMs < CROWDED_FOR_MS;

  /** Below it the longest frame still fits; but never less than the socket's own mark, else nobody would say when it is below. */
  function beginBelowBytes(): number {
    const ownBytes = socket.writableHighWaterMark;
    return isCrowded() ? ownBytes : Math.max(ownBytes, SOCKET_BYTES_MAX - FRAME_ALONE_BYTES_MAX - HEADER_BYTES + 1);
  }

  function frameBytesMax(): number {
    if (hasty.size > 0 || sendable.size > 0 || isCrowded()) return FRAME_BYTES_MAX;
    return Math.max(FRAME_BYTES_MAX, Math.min(FRAME_ALONE_BYTES_MAX, inFlight.frameBytesMax));
  }

  /** Behind the data: its answer says that all of that has arrived. */
  function mark(): void {
    if (isStopped || !liveness.takesMarks) return;
    const due = inFlight.mark(now());
    if (due === undefined) return;
    liveness.mark(() => {
      inFlight.answered(due, { nowMs: now(), leastRttMs: liveness.leastRttMs });
    });
  }

  function sendData(header: FrameHeader, payload: readonly Buffer[]): void {
    if (isStopped) return;
    const { bytes, onSent } = buffers.fill(header, payload);
    write(bytes, onSent);
  }

  function sendControl(header: FrameHeader): void {
    if (isStopped) return;
    write(encodeHeader(header));
    if (socket.writableLength > SOCKET_BYTES_MAX + CONTROL_BACKLOG_BYTES_MAX) onOverrun();
  }

  function write(bytes: Buffer, onSent?: () => void): void {
    liveness.sent();
    inFlight.sent(bytes.length);
    if (bytes.length < GATHERED_BYTES_MAX) gather();
    socket.write(bytes, onSent);
    if (bytes.length >= GATHERED_BYTES_MAX) letGo();
    // Below that it is soon gone, and nobody would say so.
    if (socket.writableNeedDrain) onQueued(socket.writableLength);
  }

  /**
   * What is small goes with the other small things of this turn of the event loop: each would be a record of TLS and a write. Where they
   * come turn after turn it is two turns: clients are accepted one in each.
   */
  function gather(): void {
    if (isGathering || !(socket instanceof Socket)) return;
    isGathering = true;
    socket.cork();
    waitsLonger = now() - gatheredMs < GATHERED_AGAIN_MS;
    setImmediate(letGoOfGathered);
  }

  function letGoOfGathered(): void {
    if (!isGathering) return;
    if (waitsLonger) {
      waitsLonger = false;
      return void setImmediate(letGoOfGathered);
    }
    gatheredMs = now();
    letGo();
  }

  function letGo(): void {
    if (!isGathering) return;
    isGathering = false;
    socket.uncork();
  }

  function onDrain(): void {
    onQueued(socket.writableLength);
    pump();
  }

  socket.on('drain', onDrain);
  return {
    sendControl,
    sendData,
    add,
    remove,
    pump,
    stop() {
      isStopped = true;
      letGo();
    },
  };
}

function firstOf<T>(set: ReadonlySet<T>): T | undefined {
  for (const first of set) return first;
  return undefined;
}
