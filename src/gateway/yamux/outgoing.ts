/**
 * What a session has to send, one frame behind the other in memory that is used again, written to its socket in large pieces:
 *
 *     add -> filling -.
 *              full --+-- flush --> one is being written --> socket
 *                     ^                                        |
 *                     `------------- written <-----------------'
 *
 * TLS says in another turn of the event loop that it has written. What the socket would queue meanwhile it would write piece by piece,
 * or copied together anew; here it goes together without.
 */
import type { Duplex } from 'node:stream';
import { encodeHeader, HEADER_BYTES, type FrameHeader } from './frame.ts';
import { BATCH_BYTES_MAX } from './limits.ts';
import type { SendMemory } from './send-memory.ts';

export interface Outgoing {
  /** Puts a frame behind all others; its payload is copied. @returns its bytes. */
  add(header: FrameHeader, payload?: readonly Buffer[]): number;
  /** All that is there goes as soon as the socket takes it. */
  flush(): void;
  /** The same at once, whether the socket takes it or not: nothing is added any more. */
  end(): void;
  /** That wait here, or in the socket. */
  readonly bytes: number;
}

export interface OutgoingOptions {
  readonly socket: Duplex;
  readonly memory: SendMemory;
  /** The socket has taken something. */
  readonly onWritten: () => void;
}

/** Frames that are written together. */
interface Batch {
  memory: Buffer;
  bytes: number;
}

export function makeOutgoing({ socket, memory, onWritten }: OutgoingOptions): Outgoing {
  /** Those without room, the oldest first. They are due. */
  const full: Batch[] = [];
  let filling: Batch | undefined;
  let isFillingDue = false;
  let writing: Batch | undefined;
  let waitingBytes = 0;

  function batchFor(bytes: number): Batch {
    if (filling !== undefined && filling.bytes + bytes > filling.memory.length) makeRoom(filling, bytes);
    filling ??= { memory: memory.take(bytes), bytes: 0 };
    return filling;
  }

  /** Little is moved to where more can follow. */
  function makeRoom(batch: Batch, bytes: number): void {
    if (batch.bytes + bytes > BATCH_BYTES_MAX) {
      full.push(batch);
      filling = undefined;
      isFillingDue = false;
      return;
    }
    const larger = memory.take(batch.bytes + bytes);
    batch.memory.copy(larger, 0, 0, batch.bytes);
    memory.giveBack(batch.memory);
    batch.memory = larger;
  }

  function next(): Batch | undefined {
    const oldest = full.shift();
    if (oldest !== undefined || !isFillingDue) return oldest;
    const batch = filling;
    filling = undefined;
    isFillingDue = false;
    return batch;
  }

  function writeNext(): void {
    if (writing !== undefined) return;
    writing = next();
    if (writing !== undefined) socket.write(bytesOf(writing), onBatchWritten);
  }

  function onBatchWritten(error?: Error | null): void {
    if (writing === undefined) return;
    waitingBytes -= writing.bytes;
    memory.giveBack(writing.memory);
    writing = undefined;
    // The socket has failed, and will say so.
    if (error) return;
    writeNext();
    onWritten();
  }

  return {
    add(header, payload = NO_PAYLOAD) {
      const isData = payload.length > 0;
      const bytes = HEADER_BYTES + (isData ? header.length : 0);
      const batch = batchFor(bytes);
      encodeHeader(header, batch.memory, batch.bytes);
      let offset = batch.bytes + HEADER_BYTES;
      for (const piece of payload) offset += piece.copy(batch.memory, offset);
      batch.bytes = offset;
      waitingBytes += bytes;
      return bytes;
    },
    flush() {
      isFillingDue = filling !== undefined;
      writeNext();
    },
    end() {
      if (filling !== undefined) full.push(filling);
      filling = undefined;
      isFillingDue = false;
      for (const batch of full.splice(0)) socket.write(bytesOf(batch), () => memory.giveBack(batch.memory));
    },
    get bytes() {
      return waitingBytes;
    },
  };
}

const NO_PAYLOAD: readonly Buffer[] = [];

function bytesOf({ memory, bytes }: Batch): Buffer {
  return memory.subarray(0, bytes);
}
