/**
 * Frames of hashicorp's yamux: 12 bytes of header, big endian, and for data frames the payload.
 *
 *     0        1      2         4             8            12
 *     version  type   flags     stream id     length
 *
 * `length` means: payload bytes (data), bytes added to the window (window update), an opaque value (ping), a code (go
 * away). Pure: what a frame means for a stream is the session's to judge.
 */
import { AppError } from '../../api/errors.ts';
import { WINDOW_BYTES_MAX } from './limits.ts';

export const HEADER_BYTES = 12;

export const FRAME_TYPES = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;
export type FrameType = (typeof FRAME_TYPES)[keyof typeof FRAME_TYPES];

export const FLAGS = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;
const FLAGS_KNOWN = FLAGS.syn | FLAGS.ack | FLAGS.fin | FLAGS.rst;

export const GO_AWAY_CODES = { normal: 0, protocolError: 1, internalError: 2 } as const;

export interface FrameHeader {
  readonly type: FrameType;
  readonly flags: number;
  /** 0 for ping and go away. */
  readonly streamId: number;
  readonly length: number;
}

/** A breach of the protocol: the session answers it with go away 1 and ends. */
export function violation(what: string): AppError {
  return new AppError('ERR_MALFORMED', `session: ${what}`, {
    fix: 'make sure that both ends of the connection are gateways of a compatible version',
  });
}

export function hasFlag(header: FrameHeader, flag: number): boolean {
  return (header.flags & flag) !== 0;
}

/** @param bytes - written into from `offset`; absent: a buffer of its own. */
export function encodeHeader(
  { type, flags, streamId, length }: FrameHeader,
  bytes: Buffer = Buffer.allocUnsafe(HEADER_BYTES),
  offset = 0,
): Buffer {
  bytes[offset] = 0;
  bytes[offset + 1] = type;
  bytes.writeUInt16BE(flags, offset + 2);
  bytes.writeUInt32BE(streamId, offset + 4);
  bytes.writeUInt32BE(length, offset + 8);
  return bytes;
}

/**
 * Reads a header and refuses what no state of a session could make right.
 *
 * @param bytes - At least 12 bytes from `offset`.
 * @throws {AppError} `ERR_MALFORMED`.
 */
export function parseHeader(bytes: Buffer, offset = 0): FrameHeader {
  const version = bytes.readUInt8(offset);
  if (version !== 0) throw violation(`frame of version ${version}`);
  const type = bytes.readUInt8(offset + 1);
  if (!isFrameType(type)) throw violation(`frame of type ${type}`);
  const header = {
    type,
    flags: bytes.readUInt16BE(offset + 2),
    streamId: bytes.readUInt32BE(offset + 4),
    length: bytes.readUInt32BE(offset + 8),
  };
  checkHeader(header);
  return header;
}

function isFrameType(type: number): type is FrameType {
  return type <= FRAME_TYPES.goAway;
}

function checkHeader({ type, flags, streamId, length }: FrameHeader): void {
  if ((flags & ~FLAGS_KNOWN) !== 0) throw violation(`frame with unknown flags ${flags}`);
  const ofStream = type === FRAME_TYPES.data || type === FRAME_TYPES.windowUpdate;
  if (ofStream !== (streamId !== 0)) throw violation(`frame of type ${type} on stream ${streamId}`);
  // No window of ours is ever larger, so this holds for streams that are already gone, too.
  if (type === FRAME_TYPES.data && length > WINDOW_BYTES_MAX) throw violation(`data frame of ${length} bytes`);
  if (type === FRAME_TYPES.ping && flags !== FLAGS.syn && flags !== FLAGS.ack) {
    throw violation(`ping with flags ${flags}`);
  }
}

/** Receives the frames of a decoder, in order. Pieces of payload share memory with the chunk they came in. */
export interface FrameSink {
  /** Once for each frame, before its payload. */
  onHeader(header: FrameHeader): void;
  /** Zero or more times for a data frame, never empty. */
  onPayload(bytes: Buffer): void;
  /** Once for each frame, after its payload. */
  onFrameEnd(header: FrameHeader): void;
  /** Asked between frames: true leaves the rest of the chunk for later. */
  readonly isTired?: () => boolean;
}

export interface FrameDecoder {
  /**
   * Takes the next bytes, cut anywhere. What it throws, or what the sink throws, ends its use.
   *
   * @returns how many it took: fewer than there are when the sink is tired; the others come first the next time.
   */
  push(chunk: Buffer): number;
}

export function makeFrameDecoder(sink: FrameSink): FrameDecoder {
  const partial = Buffer.alloc(HEADER_BYTES);
  let partialBytes = 0;
  let header: FrameHeader | undefined;
  let missingBytes = 0;

  function begin(next: FrameHeader): void {
    header = next;
    missingBytes = next.type === FRAME_TYPES.data ? next.length : 0;
    sink.onHeader(next);
    if (missingBytes === 0) sink.onFrameEnd(next);
  }

  function takeHeader(chunk: Buffer, offset: number): number {
    if (partialBytes === 0 && chunk.length - offset >= HEADER_BYTES) {
      begin(parseHeader(chunk, offset));
      return offset + HEADER_BYTES;
    }
    const copied = chunk.copy(partial, partialBytes, offset);
    partialBytes += copied;
    if (partialBytes === HEADER_BYTES) {
      partialBytes = 0;
      begin(parseHeader(partial));
    }
    return offset + copied;
  }

  function takePayload(chunk: Buffer, offset: number): number {
    const end = Math.min(offset + missingBytes, chunk.length);
    missingBytes -= end - offset;
    sink.onPayload(chunk.subarray(offset, end));
    if (missingBytes === 0 && header !== undefined) sink.onFrameEnd(header);
    return end;
  }

  return {
    push(chunk) {
      let offset = 0;
      while (offset < chunk.length) {
        offset = missingBytes > 0 ? takePayload(chunk, offset) : takeHeader(chunk, offset);
        if (missingBytes === 0 && sink.isTired?.() === true) return offset;
      }
      return offset;
    },
  };
}
