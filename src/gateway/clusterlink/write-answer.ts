/** Answers on their way out: as TLS records of their own, and not for ever. */
import type { Socket } from 'node:net';
import { REFUSAL_LINGER_MS } from '../limits.ts';
import { ANSWER_WRITE_TIMEOUT_MS } from './limits.ts';

/** Resolves when the connection has taken it: what is written next goes into another TLS record. False: it never will. */
export function writeAnswer(socket: Socket, bytes: Buffer): Promise<boolean> {
  if (socket.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const settle = (taken: boolean): void => {
      clearTimeout(timer);
      socket.off('close', onClose);
      resolve(taken);
    };
    const onClose = (): void => settle(false);
    const timer = setTimeout(() => settle(false), ANSWER_WRITE_TIMEOUT_MS);
    socket.once('close', onClose);
    socket.write(bytes, (error) => settle(error === undefined || error === null));
  });
}

/** The peer has a moment to read the answer, whatever else it still sends: a close with bytes unread would be a reset. */
export function answerAndClose(socket: Socket, bytes: Buffer): void {
  if (socket.destroyed) return;
  socket.end(bytes);
  socket.on('data', () => undefined).resume();
  const timer = setTimeout(() => socket.destroy(), REFUSAL_LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}
