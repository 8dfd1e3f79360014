/** Reads one head from the beginning of a stream; what follows it stays in the stream. */
import type { Duplex } from 'node:stream';
import { AppError } from '../api/errors.ts';
import type { HeadParser } from './wire/head.ts';

/**
 * @throws {AppError} `ERR_TIMEOUT` when the head is not complete in time, `ERR_MALFORMED`, or `ERR_STREAM_RESET` when the
 *   stream ends before it. The stream is the caller's to reset.
 */
export function readHead<H>(stream: Duplex, parser: HeadParser<H>, timeoutMs: number): Promise<H> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      fail(new AppError('ERR_TIMEOUT', `stream: no complete head in ${timeoutMs} ms`, { retryable: true }));
    }, timeoutMs);
    const release = (): void => {
      clearTimeout(timer);
      stream.off('readable', onReadable).off('end', onEnd).off('error', fail).off('close', onEnd);
    };
    const fail = (error: Error): void => {
      release();
      // Whoever resets it now must not end the process by its error.
      stream.on('error', () => undefined);
      reject(error);
    };
    const onEnd = (): void =>
      fail(new AppError('ERR_STREAM_RESET', 'stream: ended before its head', { retryable: true }));
    const onReadable = (): void => {
      try {
        for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) {
          const parsed = parser.push(chunk);
          if (parsed === undefined) continue;
          release();
          if (parsed.rest.length > 0) stream.unshift(parsed.rest);
          return resolve(parsed.head);
        }
      } catch (error) {
        fail(error as Error);
      }
    };
    if (stream.destroyed) return onEnd();
    stream.on('readable', onReadable).on('end', onEnd).on('error', fail).on('close', onEnd);
    onReadable();
  });
}
