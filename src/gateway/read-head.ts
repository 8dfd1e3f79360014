/** Reads one head from the beginning of a stream; what follows it stays in the stream. */
import type { Duplex } from 'node:stream';
import { AppError } from '../api/errors.ts';
import type { HeadParser } from './wire/head.ts';
import { YamuxStream } from './yamux/stream.ts';

/**
 * @throws {AppError} `ERR_TIMEOUT` when the head is not complete in time, `ERR_MALFORMED`, or `ERR_STREAM_RESET` when the
 *   stream ends before it. The stream is the caller's to reset.
 */
export function readHead<H>(stream: Duplex, parser: HeadParser<H>, timeoutMs: number): Promise<H> {
  return new Promise((resolve, reject) => {
    const reading = new HeadReading({ stream, parser, timeoutMs, resolve, reject });
    if (stream.destroyed) reading.end();
    else reading.begin();
  });
}

interface Wanted<H> {
  readonly stream: Duplex;
  readonly parser: HeadParser<H>;
  readonly timeoutMs: number;
  resolve(head: H): void;
  reject(error: Error): void;
}

class HeadReading<H> {
  readonly #wanted: Wanted<H>;
  readonly #timer: NodeJS.Timeout;
  readonly #onReadable = (): void => this.#readAll();
  readonly #onEnd = (): void => this.end();
  readonly #onError = (error: Error): void => this.#fail(error);
  #isOver = false;
  /** Of the bytes of a session none passes through its stream: most heads come in one piece, and events for it would cost more. */
  #isDirect = false;

  constructor(wanted: Wanted<H>) {
    this.#wanted = wanted;
    this.#timer = setTimeout(onLate, wanted.timeoutMs, this);
  }

  begin(): void {
    const { stream } = this.#wanted;
    stream.on('close', this.#onEnd);
    if (stream instanceof YamuxStream && stream.takeHead((bytes) => this.#take(bytes))) {
      this.#isDirect = true;
      return;
    }
    stream.on('readable', this.#onReadable).on('end', this.#onEnd).on('error', this.#onError);
    this.#readAll();
  }

  #take(bytes: Buffer | undefined): Buffer | undefined {
    if (this.#isOver) return bytes ?? NOTHING;
    if (bytes !== undefined) return this.#push(bytes);
    this.end();
    return NOTHING;
  }

  #readAll(): void {
    const { stream } = this.#wanted;
    for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) {
      const rest = this.#push(chunk);
      if (rest === undefined && !this.#isOver) continue;
      if (rest !== undefined && rest.length > 0) stream.unshift(rest);
      return;
    }
  }

  /** @returns what follows the head; undefined where it is not complete, or is none. */
  #push(chunk: Buffer): Buffer | undefined {
    try {
      const parsed = this.#wanted.parser.push(chunk);
      if (parsed === undefined) return undefined;
      this.#release();
      this.#wanted.resolve(parsed.head);
      return parsed.rest;
    } catch (error) {
      this.#fail(error as Error);
      return undefined;
    }
  }

  end(): void {
    const { errored } = this.#wanted.stream;
    this.#fail(errored ?? new AppError('ERR_STREAM_RESET', 'stream: ended before its head', { retryable: true }));
  }

  expire(): void {
    if (this.#isOver) return;
    const message = `stream: no complete head in ${this.#wanted.timeoutMs} ms`;
    this.#fail(new AppError('ERR_TIMEOUT', message, { retryable: true }));
  }

  #fail(error: Error): void {
    this.#release();
    // Whoever resets it now must not end the process by its error.
    this.#wanted.stream.on('error', () => undefined);
    this.#wanted.reject(error);
  }

  #release(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    const { stream } = this.#wanted;
    stream.off('close', this.#onEnd);
    if (this.#isDirect) return;
    stream.off('readable', this.#onReadable).off('end', this.#onEnd).off('error', this.#onError);
  }
}

/** After a stall of this process the head may be waiting in the kernel: timers run before sockets are read. */
function onLate(reading: HeadReading<unknown>): void {
  setImmediate(() => reading.expire());
}

const NOTHING = Buffer.alloc(0);
