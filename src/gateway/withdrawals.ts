/** Streams that the peer has opened and would now rather have elsewhere: told on the control stream (`withdraw`, shapes §3). */
import { ByNumber } from '../runtime/line.ts';
import { WITHDRAWALS_MAX } from './limits.ts';

export interface Withdrawals {
  /** The peer has said so. */
  remember(stream: number): void;
  isWithdrawn(stream: number): boolean;
  /** Called when it is said, if it was not yet; the result: that is awaited no longer, and nothing of the stream is remembered. */
  onWithdrawn(stream: number, act: () => void): () => void;
}

/** The word may come before anybody listens: the request itself waits for its turn. */
export function makeWithdrawals(): Withdrawals {
  const said = new Set<number>();
  const listeners = new ByNumber<() => void>();
  return {
    remember(stream) {
      said.add(stream);
      const [oldest] = said;
      if (said.size > WITHDRAWALS_MAX && oldest !== undefined) said.delete(oldest);
      listeners.get(stream)?.();
    },
    isWithdrawn: (stream) => said.has(stream),
    onWithdrawn(stream, act) {
      listeners.set(stream, act);
      return () => {
        listeners.delete(stream);
        said.delete(stream);
      };
    },
  };
}
