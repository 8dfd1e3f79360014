/**
 * A socket, record by record. Node hands over what one `SSL_read` gave, which is at most one TLS record, as one `data`
 * event as long as the stream flows; a paused stream that is read by hand would join them.
 */
import type { Socket } from 'node:net';
import { EMPTY, endOfHead } from './head.ts';

export type Read = { readonly bytes: Buffer } | 'ended' | 'late';

/** The next record; `late` when the signal comes first. The socket is paused before and after. */
export function readRecord(socket: Socket, signal: AbortSignal): Promise<Read> {
  if (signal.aborted) return Promise.resolve('late');
  if (socket.destroyed || socket.readableEnded) return Promise.resolve('ended');
  return new Promise((resolve) => {
    const onData = (bytes: Buffer): void => done({ bytes });
    const onEnd = (): void => done('ended');
    const onAbort = (): void => done('late');
    function done(read: Read): void {
      socket.pause();
      socket.off('data', onData).off('end', onEnd).off('close', onEnd);
      signal.removeEventListener('abort', onAbort);
      resolve(read);
    }
    signal.addEventListener('abort', onAbort);
    socket.on('data', onData).on('end', onEnd).on('close', onEnd);
    socket.resume();
  });
}

export type HeadRead =
  | {
      readonly head: Buffer;
      /** What stood behind the head in its last record. */
      readonly beside: Buffer;
    }
  | 'ended'
  | 'late'
  | 'too-long';

/** @param begun - what is already here of the head. */
export async function readHead(
  socket: Socket,
  {
    begun = EMPTY,
    bytesMax,
    signal,
  }: { readonly begun?: Buffer; readonly bytesMax: number; readonly signal: AbortSignal },
): Promise<HeadRead> {
  let bytes = begun;
  for (;;) {
    const end = endOfHead(bytes);
    if (end > bytesMax || (end < 0 && bytes.length > bytesMax)) return 'too-long';
    if (end >= 0) return { head: bytes.subarray(0, end), beside: bytes.subarray(end) };
    const read = await readRecord(socket, signal);
    if (typeof read === 'string') return read;
    bytes = Buffer.concat([bytes, read.bytes]);
  }
}

/** Exactly so many bytes of a body; what is over stays behind as `beside`. */
export async function readBody(
  socket: Socket,
  { begun, length, signal }: { readonly begun: Buffer; readonly length: number; readonly signal: AbortSignal },
): Promise<{ readonly body: Buffer; readonly beside: Buffer } | 'ended' | 'late'> {
  const pieces = [begun];
  let size = begun.length;
  while (size < length) {
    const read = await readRecord(socket, signal);
    if (typeof read === 'string') return read;
    pieces.push(read.bytes);
    size += read.bytes.length;
  }
  const bytes = Buffer.concat(pieces);
  return { body: bytes.subarray(0, length), beside: bytes.subarray(length) };
}

/**
 * A body in chunks, without its sizes and trailers.
 *
 * @returns `malformed` for what are no chunks, or more than `bytesMax` with their framing.
 */
export async function readChunks(
  socket: Socket,
  { begun, bytesMax, signal }: { readonly begun: Buffer; readonly bytesMax: number; readonly signal: AbortSignal },
): Promise<{ readonly body: Buffer; readonly beside: Buffer } | 'ended' | 'late' | 'malformed'> {
  let bytes = begun;
  for (;;) {
    const cut = cutChunks(bytes);
    if (cut !== 'more') return cut;
    if (bytes.length > bytesMax) return 'malformed';
    const read = await readRecord(socket, signal);
    if (typeof read === 'string') return read;
    bytes = Buffer.concat([bytes, read.bytes]);
  }
}

function cutChunks(bytes: Buffer): { readonly body: Buffer; readonly beside: Buffer } | 'more' | 'malformed' {
  const pieces: Buffer[] = [];
  for (let at = 0; ;) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return 'more';
    const match = /^([0-9a-f]{1,6})(?:;.*)?$/i.exec(bytes.toString('latin1', at, line));
    if (match === null) return 'malformed';
    const size = Number.parseInt(match[1] ?? '', 16);
    if (size === 0) {
      // The last chunk, trailers if any, and a blank line.
      const end = bytes.indexOf('\r\n\r\n', line);
      return end < 0 ? 'more' : { body: Buffer.concat(pieces), beside: bytes.subarray(end + 4) };
    }
    const next = line + 2 + size;
    if (bytes.length < next + 2) return 'more';
    pieces.push(bytes.subarray(line + 2, next));
    at = next + 2;
  }
}

/** A deadline that also comes when the peer closes. */
export function within(ms: number, closing: AbortSignal): AbortSignal {
  return ms === 0 ? closing : AbortSignal.any([closing, AbortSignal.timeout(ms)]);
}
