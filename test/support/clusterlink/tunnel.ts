/** Bytes between two sockets the way ClusterLink moves them: whatever ends first ends both directions (§3.6, tunnel life). */
import type { Socket } from 'node:net';
import { LINGER_MS } from './limits.ts';

export interface TunnelOptions {
  /** 0 = no limit. */
  readonly idleMs: number;
  readonly onEnd: () => void;
}

/** Both sockets must be half-open ones, so that a FIN is seen here before Node answers it. */
export function joinTunnel(left: Socket, right: Socket, { idleMs, onEnd }: TunnelOptions): void {
  const both = [left, right] as const;
  if (both.some((socket) => socket.destroyed)) {
    both.forEach((socket) => socket.destroy());
    return onEnd();
  }
  const idle = idleMs === 0 ? undefined : setTimeout(finish, idleMs);
  let linger: NodeJS.Timeout | undefined;
  let open: number = both.length;

  /** What was read is written; what the other side would still have said is lost. */
  function finish(): void {
    if (linger !== undefined) return;
    clearTimeout(idle);
    left.unpipe(right).pause();
    right.unpipe(left).pause();
    linger = setTimeout(() => both.forEach((socket) => socket.destroy()), LINGER_MS);
    both.forEach((socket) => socket.destroySoon());
  }

  function closed(): void {
    finish();
    if (--open > 0) return;
    clearTimeout(linger);
    onEnd();
  }

  for (const socket of both) {
    socket.on('end', finish).on('error', finish).on('close', closed);
    if (idle !== undefined) socket.on('data', () => idle.refresh());
  }
  // Its end may have been read before anybody listened here.
  if (both.some((socket) => socket.readableEnded)) return finish();
  left.pipe(right, { end: false });
  right.pipe(left, { end: false });
}
