/** Whether a connection that waits for a request gets one. */
import type { Duplex } from 'node:stream';

/** True when there is something to read, and nothing was; false when the stream has ended, or nothing came in time. */
export function waitForBytes(stream: Duplex, timeoutMs: number): Promise<boolean> {
  if (stream.destroyed || stream.readableEnded) return Promise.resolve(false);
  if (stream.readableLength > 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const settle = (hasBytes: boolean): void => {
      clearTimeout(timer);
      stream.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
      resolve(hasBytes);
    };
    // Also at the end, which is told only to one who reads.
    const onReadable = (): void => {
      if (stream.readableLength > 0) settle(true);
      else stream.read();
    };
    const onEnd = (): void => settle(false);
    const timer = setTimeout(onEnd, timeoutMs);
    stream.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
  });
}
