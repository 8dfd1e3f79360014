/** A TCP connection to whichever of several addresses takes it first, tried one after the other (RFC 8305 §5). */
import { connect, type Socket } from 'node:net';
import { keepAlive } from './keep-alive.ts';
import { NEXT_ADDRESS_MS } from './limits.ts';

export interface ConnectAnyOptions {
  /** Addresses, in the order in which they are tried; at least one. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly signal: AbortSignal;
  readonly keepAliveMs?: number | undefined;
}

/**
 * An attempt that does not answer is not given up for the next one, which begins beside it: the first one that is connected
 * wins, the others are destroyed. One that fails makes room for the next at once.
 *
 * @throws {Error} of the first address that failed, when none took it; the signal's reason when it was aborted.
 */
export function connectAny(options: ConnectAnyOptions): Promise<{ readonly socket: Socket; readonly address: string }> {
  const { addresses, port, signal, keepAliveMs } = options;
  return new Promise((resolve, reject) => {
    const attempts = new Set<Socket>();
    const left = [...addresses];
    let failure: Error | undefined;
    let timer: NodeJS.Timeout | undefined;

    function settle(won?: Socket): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      left.length = 0;
      for (const attempt of attempts) if (attempt !== won) attempt.destroy();
    }
    function onAbort(): void {
      settle();
      reject(signal.reason as Error);
    }
    function next(): void {
      clearTimeout(timer);
      const address = left.shift();
      if (address === undefined) return;
      const socket = connect({ host: address, port, noDelay: true });
      attempts.add(socket);
      // Stays: an attempt that fails after another one has won must not end the process.
      socket.on('error', (error) => {
        attempts.delete(socket);
        failure ??= error;
        if (left.length > 0) return next();
        if (attempts.size > 0) return;
        settle();
        reject(failure);
      });
      socket.once('connect', () => {
        if (!attempts.has(socket) || signal.aborted) return;
        settle(socket);
        keepAlive(socket, keepAliveMs);
        resolve({ socket, address });
      });
      if (left.length > 0) timer = setTimeout(next, NEXT_ADDRESS_MS);
    }
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return onAbort();
    next();
  });
}
