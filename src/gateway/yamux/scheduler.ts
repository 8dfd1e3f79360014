/**
 * Whose turn it is to send on a session, how much, and when everybody waits.
 *
 *     sendControl ----------------------------------------------.
 *     add -> hasty ---.                                          v
 *     add -> sendable -> pump -> nextToSend -> sendFrame -> sendData -> write -> outgoing
 *                          ^                                               |
 *                          '--- written, or an answer to a mark <----------'
 *
 * Control frames go first. Then streams with little to send, as long as the others are served too; those take turns, a frame
 * each. All data waits while the socket holds enough of it, or the path does (in-flight.ts).
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Line, type Place } from '../../runtime/line.ts';
import { HEADER_BYTES, type FrameHeader } from './frame.ts';
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
  SOCKET_BYTES_CROWDED_MAX,
  SOCKET_BYTES_MAX,
} from './limits.ts';
import type { Liveness } from './liveness.ts';
import { makeOutgoing } from './outgoing.ts';
import { makeSendMemory, sendMemory, type SendMemory } from './send-memory.ts';

/** A stream, as far as its turn goes. */
export interface Sender {
  /** Little enough to go ahead of others. */
  readonly isHasty: boolean;
  /** It has bytes, and a window for some of them. */
  readonly isSendable: boolean;
  /** When it had much to send, the last time: kept here for the scheduler, by whose clock it is. */
  bulkMs: number;
  /** Where it waits for its turn: the scheduler's to set. */
  turn?: { readonly queue: object; readonly place: Place } | undefined;
  /** Sends one data frame of at most so many bytes, by {@link Scheduler.sendData}. */
  sendFrame(bytesMax: number): void;
}

export interface Scheduler {
  /** Sends a frame without payload, ahead of data that waits. */
  sendControl(header: FrameHeader): void;
  /** Sends one data frame. Only within `sendFrame`. */
  sendData(header: FrameHeader, payload: readonly Buffer[]): void;
  /** It is sendable, and gets its turn. */
  add(sender: Sender): void;
  /** It is gone, whether it had anything to send or not. */
  remove(sender: Sender): void;
  /** The path may have room again. */
  pump(): void;
  /** All that is sent until {@link letGo} goes together. As often as that. */
  hold(): void;
  letGo(): void;
  /** Nothing is sent any more; what was sent goes out. */
  stop(): void;
  /** Bytes that were sent, and that the socket has not taken. */
  readonly queuedBytes: number;
}

export interface SchedulerOptions {
  readonly socket: Duplex;
  readonly liveness: Pick<Liveness, 'sent' | 'mark' | 'takesMarks' | 'leastRttMs'>;
  /** Absent: that of this process. */
  readonly memory?: SendMemory | undefined;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Much of what was sent waits for the socket, or no longer. */
  readonly onQueued: (bytes: number) => void;
  /** More control frames wait for the socket than {@link CONTROL_BACKLOG_BYTES_MAX}: the peer makes us send and does not read. */
  readonly onOverrun: () => void;
}

export function makeScheduler({ socket, liveness, now, onQueued, onOverrun, ...options }: SchedulerOptions): Scheduler {
  /** Those with little to send, and the others: both in turn. */
  const hasty = new Queue();
  const sendable = new Queue();
  const inFlight = makeInFlight();
  const isOfKernel = socket instanceof Socket;
  const outgoing = makeOutgoing({
    socket,
    // A pair in memory has written what its reader has not read yet.
    memory: isOfKernel ? (options.memory ?? sendMemory) : makeSendMemory({ keptBytesMax: 0 }),
    onWritten,
  });
  let isStopped = false;
  let isPumping = false;
  let holds = 0;
  /** Something goes when nobody holds it any more. */
  let isDue = false;
  let isGathering = false;
  let gatheredMs = -Infinity;
  let waitsLonger = false;
  let toldBytes = 0;
  /** What went ahead of those that wait in `sendable` since one of them was served. */
  let aheadBytes = 0;
  /** When somebody had little to send who had not had much before. */
  let crowdedMs = -Infinity;

  // Whose turn it is.

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
    if (hasty.size === 0 && sendable.size === 0) return mark(); // What was blocked may have been removed.
    isPumping = true;
    hold();
    const nowMs = now();
    for (let sender = nextToSend(nowMs); sender !== undefined; sender = nextToSend(nowMs)) {
      serve(sender, nowMs);
      mark();
    }
    isPumping = false;
    if (hasty.size > 0 || sendable.size > 0) {
      inFlight.wait(nowMs);
      mark();
    }
    letGo();
  }

  /** Those with little to send come first, as long as the others are served too. */
  function nextToSend(nowMs: number): Sender | undefined {
    if (isStopped || outgoing.bytes >= beginBelowBytes(nowMs)) return undefined;
    const first = hasty.size > 0 && inFlight.hasRoom(HASTY_RESERVE_BYTES) ? hasty.first : undefined;
    if (first !== undefined && aheadBytes < FRAME_BYTES_MAX) return first;
    return (sendable.size > 0 && inFlight.hasRoom(0) ? sendable.first : undefined) ?? first;
  }

  function serve(sender: Sender, nowMs: number): void {
    if (hasty.delete(sender)) {
      aheadBytes += HASTY_BYTES_MAX;
      // The rest of a large piece is small, too, and so is what bulk brings in one turn now and then.
      if (nowMs - sender.bulkMs >= CROWDED_FOR_MS) crowdedMs = nowMs;
    } else if (sendable.delete(sender)) {
      aheadBytes = 0;
      sender.bulkMs = nowMs;
    }
    sender.sendFrame(frameBytesMax(nowMs));
    if (sender.isSendable) sendable.add(sender); // Behind all others: round robin.
  }

  /** Somebody with little to say is here, and will soon be again: nothing is done then for which he would wait. */
  const isCrowded = (nowMs: number): boolean => nowMs - crowdedMs < CROWDED_FOR_MS;

  /** Below it the longest frame still fits. */
  function beginBelowBytes(nowMs: number): number {
    return isCrowded(nowMs) ? SOCKET_BYTES_CROWDED_MAX : SOCKET_BYTES_MAX - FRAME_ALONE_BYTES_MAX - HEADER_BYTES + 1;
  }

  function frameBytesMax(nowMs: number): number {
    if (hasty.size > 0 || sendable.size > 0 || isCrowded(nowMs)) return FRAME_BYTES_MAX;
    return Math.max(FRAME_BYTES_MAX, Math.min(FRAME_ALONE_BYTES_MAX, inFlight.frameBytesMax));
  }

  /** Behind the data: its answer says that all of that has arrived. */
  function mark(): void {
    if (isStopped || !inFlight.isMarkDue || !liveness.takesMarks) return;
    const due = inFlight.mark(now());
    liveness.mark(() => {
      inFlight.answered(due, { nowMs: now(), leastRttMs: liveness.leastRttMs });
    });
  }

  // What is sent.

  function sendData(header: FrameHeader, payload: readonly Buffer[]): void {
    if (!isStopped) write(header, payload);
  }

  function sendControl(header: FrameHeader): void {
    if (isStopped) return;
    write(header);
    if (outgoing.bytes > SOCKET_BYTES_MAX + CONTROL_BACKLOG_BYTES_MAX) onOverrun();
  }

  function write(header: FrameHeader, payload?: readonly Buffer[]): void {
    const bytes = outgoing.add(header, payload);
    inFlight.sent(bytes);
    if (outgoing.bytes >= FRAME_BYTES_MAX) tellQueued();
    if (bytes < GATHERED_BYTES_MAX && isOfKernel) return gather();
    isDue = true;
    if (holds === 0) flush();
  }

  function hold(): void {
    holds += 1;
  }

  function letGo(): void {
    holds -= 1;
    if (holds === 0 && isDue) flush();
  }

  function flush(): void {
    isDue = false;
    liveness.sent();
    outgoing.flush();
  }

  /**
   * What is small goes with the other small things of this turn of the event loop: each would be a record of TLS and a write. Where they
   * come turn after turn it is two turns: clients are accepted one in each.
   */
  function gather(): void {
    if (isGathering) return;
    isGathering = true;
    waitsLonger = now() - gatheredMs < GATHERED_AGAIN_MS;
    setImmediate(letGoOfGathered);
  }

  function letGoOfGathered(): void {
    if (waitsLonger) {
      waitsLonger = false;
      return void setImmediate(letGoOfGathered);
    }
    isGathering = false;
    if (isStopped) return;
    gatheredMs = now();
    flush();
  }

  function tellQueued(): void {
    toldBytes = outgoing.bytes;
    onQueued(toldBytes);
  }

  function onWritten(): void {
    if (isStopped) return;
    // Below that it is soon gone.
    if (toldBytes > 0) tellQueued();
    pump();
  }

  return {
    sendControl,
    sendData,
    add,
    remove,
    pump,
    hold,
    letGo,
    stop() {
      isStopped = true;
      outgoing.end();
    },
    get queuedBytes() {
      return outgoing.bytes;
    },
  };
}

/** Senders in the order in which they have come; each is in one queue at most. */
class Queue {
  readonly #line = new Line<Sender>();

  get size(): number {
    return this.#line.size;
  }

  get first(): Sender | undefined {
    return this.#line.first;
  }

  add(sender: Sender): void {
    if (sender.turn?.queue === this) return;
    sender.turn?.place.leave();
    sender.turn = { queue: this, place: this.#line.join(sender) };
  }

  /** @returns whether it was there. */
  delete(sender: Sender): boolean {
    if (sender.turn?.queue !== this) return false;
    sender.turn.place.leave();
    sender.turn = undefined;
    return true;
  }
}
