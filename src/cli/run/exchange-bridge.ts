/** Joins the exchange to the data plane: exchange streams travel as messages of the gateway's channel. */
import { randomUUID } from 'node:crypto';
import type { Exchange } from '../../exchange/exchange.ts';
import { LINES_AHEAD_MAX } from '../../exchange/limits.ts';
import type { ExchangeHandlers, ExchangeStream, OpenExchange } from '../../exchange/transport.ts';
import type { DownMessage, ExchangeRef, UpMessage } from '../../gateway/messages.ts';
import { systemClock } from '../../runtime/clock.ts';

export interface ExchangeBridge {
  readonly open: OpenExchange;
  digest(message: Extract<UpMessage, { kind: `exchange-${string}` }>): void;
  /** Streams that peers open go to this exchange from now on. */
  serve(exchange: Pick<Exchange, 'accept'>): void;
}

/** One exchange stream on this side of the channel. */
interface Carried {
  readonly handlers: ExchangeHandlers & { onOpened?(): void };
  /** Lines under way that the stream has not taken yet. */
  ahead: number;
  /** Its owner was told to wait. */
  isFull: boolean;
  /** Ends the wait of a peer that has said much; set while it lasts. */
  cancelRest: (() => void) | undefined;
}

export function makeExchangeBridge(post: (message: DownMessage) => void, clock = systemClock): ExchangeBridge {
  const carriedByChannel = new Map<string, Carried>();
  let accept: Exchange['accept'] | undefined;

  function streamOf(ref: ExchangeRef): ExchangeStream {
    return {
      send(line) {
        post({ kind: 'exchange-line', ...ref, line });
        const carried = carriedByChannel.get(ref.channel);
        if (carried === undefined) return true;
        carried.ahead++;
        carried.isFull = carried.ahead >= LINES_AHEAD_MAX;
        return !carried.isFull;
      },
      close() {
        forget(ref);
        post({ kind: 'exchange-close', ...ref });
      },
    };
  }

  function carry(ref: ExchangeRef, handlers: Carried['handlers']): void {
    carriedByChannel.set(ref.channel, { handlers, ahead: 0, isFull: false, cancelRest: undefined });
  }

  /** Half of the lines are taken: late enough to send the next in one go, early enough that the stream never runs dry. */
  function onSent(carried: Carried): void {
    carried.ahead--;
    if (!carried.isFull || carried.ahead > LINES_AHEAD_MAX / 2) return;
    carried.isFull = false;
    carried.handlers.onWritable();
  }

  /** The gateway reads no further line of a peer before this one is acknowledged: so it is the peer who waits. */
  function consume(ref: ExchangeRef, restMs: number): void {
    const acknowledge = (): void => post({ kind: 'exchange-consumed', ...ref });
    if (restMs <= 0) return acknowledge();
    const carried = carriedByChannel.get(ref.channel);
    if (carried !== undefined) carried.cancelRest = clock.after(restMs, acknowledge);
  }

  function forget({ channel }: ExchangeRef): void {
    carriedByChannel.get(channel)?.cancelRest?.();
    carriedByChannel.delete(channel);
  }

  return {
    open(peer, handlers) {
      const ref = { peer, channel: randomUUID() };
      carry(ref, handlers);
      post({ kind: 'exchange-open', ...ref });
      return streamOf(ref);
    },
    serve(exchange) {
      accept = (peer, stream) => exchange.accept(peer, stream);
    },
    digest(message) {
      const ref = { peer: message.peer, channel: message.channel };
      const carried = carriedByChannel.get(ref.channel);
      switch (message.kind) {
        case 'exchange-opened':
          if (message.side === 'client') carried?.handlers.onOpened?.();
          else if (accept === undefined) post({ kind: 'exchange-close', ...ref });
          else carry(ref, accept(ref.peer, streamOf(ref)));
          return;
        case 'exchange-line':
          return consume(ref, carried?.handlers.onLine(message.line) ?? 0);
        case 'exchange-sent':
          if (carried !== undefined) onSent(carried);
          return;
        case 'exchange-closed':
          forget(ref);
          return carried?.handlers.onClosed(message.reason);
      }
    },
  };
}
