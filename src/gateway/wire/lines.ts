/** Newline-delimited JSON over a stream: the control stream and the record exchange. */
import type { Readable, Writable } from 'node:stream';
import { AppError } from '../../api/errors.ts';
import { malformed } from './head.ts';
import { LINE_WRITE_TIMEOUT_MS } from './limits.ts';

const LF = 0x0a;

export interface LineReaderOptions {
  /** Of one line, without its newline. */
  readonly lineBytesMax: number;
  /** Lines come one at a time: the next one, and further reading, waits for the promise. */
  readonly onLine: (value: unknown) => void | Promise<void>;
  /** The stream ended after a whole line. */
  readonly onEnd?: () => void;
  /**
   * Nothing is read any more: a line was `ERR_MALFORMED` (too long, not UTF-8, not JSON, cut off), onLine threw, or the
   * stream failed. Called once, and never after onEnd; the stream is the caller's to reset.
   */
  readonly onError: (error: Error) => void;
  /** Told what the part of a line that has come so far takes in memory; 0 when nothing is read any more. */
  readonly onHeld?: (bytes: number) => void;
}

export interface LineReader {
  /** Nothing is called any more; the stream stays paused. */
  close(): void;
}

/** Reads lines from now on. Bytes that were read too far belong back into the stream first (`unshift`). */
export function makeLineReader(
  stream: Readable,
  { lineBytesMax, onLine, onEnd, onError, onHeld }: LineReaderOptions,
): LineReader {
  const split = makeLineSplitter(lineBytesMax);
  let closed = false;
  let ended = false;
  let working = false;

  function close(): void {
    closed = true;
    stream.off('data', onData);
    stream.pause();
    onHeld?.(0);
  }

  function fail(error: unknown): void {
    if (closed) return;
    close();
    onError(error instanceof Error ? error : new Error(String(error)));
  }

  async function deliver(chunk: Buffer): Promise<void> {
    for (const line of split.push(chunk)) {
      const handled = onLine(parseLine(line));
      if (handled !== undefined) await handled;
      if (closed) return;
    }
    onHeld?.(split.memoryBytes);
  }

  function onData(chunk: Buffer): void {
    // Paused while the handler works, so that at most one chunk is held here.
    stream.pause();
    working = true;
    deliver(chunk).then(onDelivered, fail);
  }

  function onDelivered(): void {
    working = false;
    if (closed) return;
    if (ended) finish();
    else stream.resume();
  }

  function finish(): void {
    if (split.pendingBytes > 0) return fail(malformed('line: cut off by the end of the stream'));
    close();
    onEnd?.();
  }

  stream.on('data', onData);
  stream.on('end', () => {
    ended = true;
    if (!working && !closed) finish();
  });
  stream.on('error', fail);
  stream.on('close', () => {
    if (!ended)
      fail(new AppError('ERR_STREAM_RESET', 'line: the stream was closed before its end', { retryable: true }));
  });
  return { close };
}

export function encodeLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/**
 * Writes one value as a line, to a stream that settles its writes when it is destroyed, as those of sessions do.
 *
 * @returns when the stream has taken it; awaiting it before the next one keeps one line in memory.
 * @throws {AppError} `ERR_STREAM_RESET` when the stream is gone, `ERR_TIMEOUT` when nobody reads it for 30 s.
 */
export function writeLine(stream: Writable, value: unknown): Promise<void> {
  const taken = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new AppError('ERR_TIMEOUT', `line: not taken in ${LINE_WRITE_TIMEOUT_MS} ms`, { retryable: true }));
    }, LINE_WRITE_TIMEOUT_MS);
    stream.write(encodeLine(value), (error) => {
      clearTimeout(timer);
      if (error == null) resolve();
      else reject(new AppError('ERR_STREAM_RESET', 'line: the stream is gone', { retryable: true, cause: error }));
    });
  });
  taken.catch(() => {}); // A caller that need not wait learns of a lost stream from the stream.
  return taken;
}

interface LineSplitter {
  /** Lines that are complete now, without their newlines, each valid until the next. @throws {AppError} `ERR_MALFORMED` above the bound. */
  push(chunk: Buffer): Generator<Buffer, void>;
  readonly pendingBytes: number;
  readonly memoryBytes: number;
}

function makeLineSplitter(lineBytesMax: number): LineSplitter {
  // One buffer that grows, rather than a list: a peer may send a long line byte by byte.
  let pending = Buffer.alloc(0);
  let pendingBytes = 0;

  function keep(part: Buffer): void {
    const bytes = pendingBytes + part.length;
    if (bytes > lineBytesMax) throw malformed(`line: longer than ${lineBytesMax} bytes`);
    if (bytes > pending.length) {
      pending = Buffer.concat([pending.subarray(0, pendingBytes)], Math.max(bytes, 2 * pending.length));
    }
    part.copy(pending, pendingBytes);
    pendingBytes = bytes;
  }

  return {
    *push(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
        keep(chunk.subarray(start, end));
        const line = pending.subarray(0, pendingBytes);
        pendingBytes = 0;
        start = end + 1;
        yield line;
      }
      keep(chunk.subarray(start));
    },
    get pendingBytes() {
      return pendingBytes;
    },
    get memoryBytes() {
      return pending.length;
    },
  };
}

function parseLine(line: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line));
  } catch {
    // The parser's own message would quote the peer's bytes.
    throw malformed('line: not JSON in UTF-8');
  }
}
