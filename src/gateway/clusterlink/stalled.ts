/**
 * Tunnels through a gateway that has fallen silent. The form has no sign of life inside a tunnel, and its heartbeats are answered by
 * a control plane, whose end ends no tunnel. So none is cut for silent heartbeats alone: only where the gateway cannot be reached
 * either, and only those whose bytes were not answered, as TCP would find out after a quarter of an hour.
 */
import { STALLED_MS } from './limits.ts';

export interface WatchedTunnel {
  /** Since the first byte that was sent after the last one that came; 0: all is answered. */
  unansweredMs(): number;
}

export interface StalledOptions<T extends WatchedTunnel> {
  /** Those that are open; they go out of it by themselves. */
  readonly tunnels: ReadonlySet<T>;
  /** Whether a handshake with the gateway succeeds now. Never rejects, has its own deadline. */
  reach(): Promise<boolean>;
  cut(tunnel: T): void;
}

export interface StalledWatch {
  /** A tunnel has ended: with the last one the watch is over. */
  ended(): void;
}

/** From the moment when heartbeats are not answered any more, until the gateway can be reached or no tunnel is left. */
export function watchStalled<T extends WatchedTunnel>({ tunnels, reach, cut }: StalledOptions<T>): StalledWatch {
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    if (await reach()) return;
    for (const tunnel of [...tunnels]) if (tunnel.unansweredMs() >= STALLED_MS) cut(tunnel);
    wait();
  }

  function wait(): void {
    if (tunnels.size > 0) timer = setTimeout(() => void look(), STALLED_MS);
  }

  wait();
  return {
    ended() {
      if (tunnels.size === 0) clearTimeout(timer);
    },
  };
}
