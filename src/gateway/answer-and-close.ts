/** The end of a stream that was answered and carries nothing more. */
import { REFUSAL_LINGER_MS } from './limits.ts';
import { encodeAnswer, type ConnectAnswer } from './wire/connect.ts';
import type { YamuxStream } from './yamux/stream.ts';

/**
 * Answers and lets go. The peer has a moment to read the answer; then the stream is reset, so that one who never ends its half
 * holds nothing here. What it still sends is dropped.
 */
export function answerAndClose(stream: YamuxStream, answer: ConnectAnswer): void {
  if (stream.destroyed) return;
  stream.end(encodeAnswer(answer));
  stream.on('data', () => undefined).resume();
  const timer = setTimeout(() => stream.reset(), REFUSAL_LINGER_MS);
  stream.once('close', () => clearTimeout(timer));
}
