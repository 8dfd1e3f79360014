/** Which worker carries which exchange stream. */
import { EXCHANGES_PER_PEER_MAX } from '../limits.ts';
import type { DownMessage, ExchangeRef, UpMessage } from '../messages.ts';

export interface ExchangeRoutes<Worker> {
  /** To a worker that has a session with the peer; undefined: there is none. */
  open(ref: ExchangeRef, worker: Worker | undefined): void;
  /** To the one that carries it, if there still is one. */
  pass(message: Extract<DownMessage, { kind: 'exchange-line' | 'exchange-consumed' | 'exchange-close' }>): void;
  digest(worker: Worker, message: Extract<UpMessage, { kind: `exchange-${string}` }>): void;
  /** Ends those that it carries: both sides open them anew. */
  leave(worker: Worker): void;
  /** It is gone. */
  forget(worker: Worker): void;
}

interface Carried<Worker> extends ExchangeRef {
  readonly worker: Worker;
  readonly side: 'client' | 'server';
}

export function makeExchangeRoutes<Worker extends { post(message: DownMessage): void }>(
  say: (message: UpMessage) => void,
): ExchangeRoutes<Worker> {
  const carried = new Map<string, Carried<Worker>>();
  const close = ({ worker, peer, channel }: Carried<Worker>): void =>
    worker.post({ kind: 'exchange-close', peer, channel });

  /** As many as one data plane takes of a peer: the newest live. */
  function closeOldest(peer: string): void {
    const served = [...carried.values()].filter((one) => one.side === 'server' && one.peer === peer);
    served.slice(0, Math.max(0, served.length - EXCHANGES_PER_PEER_MAX)).forEach(close);
  }

  return {
    open({ peer, channel }, worker) {
      if (worker === undefined)
        return say({ kind: 'exchange-closed', peer, channel, reason: 'no worker process serves' });
      carried.set(channel, { peer, channel, worker, side: 'client' });
      worker.post({ kind: 'exchange-open', peer, channel });
    },
    pass: (message) => carried.get(message.channel)?.worker.post(message),
    digest(worker, message) {
      const { peer, channel } = message;
      if (message.kind === 'exchange-closed') carried.delete(channel);
      if (message.kind === 'exchange-opened' && message.side === 'server') {
        carried.set(channel, { peer, channel, worker, side: 'server' });
        closeOldest(peer);
      }
      say(message);
    },
    leave(worker) {
      for (const one of [...carried.values()]) if (one.worker === worker) close(one);
    },
    forget(worker) {
      for (const [channel, one] of [...carried]) {
        if (one.worker !== worker) continue;
        carried.delete(channel);
        say({ kind: 'exchange-closed', peer: one.peer, channel, reason: 'its worker process has ended' });
      }
    },
  };
}
