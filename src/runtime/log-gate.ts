/** Bounds lines of the log that somebody else causes: whoever does chooses how often, and must not fill a disk. */
import { PEER_LINES_MAX, PEER_LINES_WINDOW_MS } from './limits.ts';

export interface LogGate {
  /** Whether one more line may be written; one that may not is counted. */
  opens(): boolean;
  /** How many were kept back since this was asked last. */
  takeSkipped(): number;
}

export interface LogGateOptions {
  readonly linesMax: number;
  readonly windowMs: number;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

export function makeLogGate({ linesMax, windowMs, now = () => performance.now() }: LogGateOptions): LogGate {
  let windowStartMs = -Infinity;
  let lines = 0;
  let skipped = 0;
  return {
    opens() {
      const nowMs = now();
      if (nowMs - windowStartMs >= windowMs) {
        windowStartMs = nowMs;
        lines = 0;
      }
      lines++;
      if (lines <= linesMax) return true;
      skipped++;
      return false;
    },
    takeSkipped() {
      const count = skipped;
      skipped = 0;
      return count;
    },
  };
}

export interface PeerLogGates {
  of(peer: string): LogGate;
  /** Its Peer object is gone. */
  forget(peer: string): void;
}

/** One for each peer, so that a noisy one does not silence what is said of the others. */
export function makePeerLogGates(options: Partial<LogGateOptions> = {}): PeerLogGates {
  const gates = new Map<string, LogGate>();
  return {
    of(peer) {
      const gate =
        gates.get(peer) ?? makeLogGate({ linesMax: PEER_LINES_MAX, windowMs: PEER_LINES_WINDOW_MS, ...options });
      gates.set(peer, gate);
      return gate;
    },
    forget: (peer) => void gates.delete(peer),
  };
}
