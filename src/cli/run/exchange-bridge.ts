/** Joins the exchange to the data plane: exchange streams travel as messages of the gateway's channel. */
import { randomUUID } from 'node:crypto';
import type { Exchange } from '../../exchange/exchange.ts';
import type { ExchangeHandlers, ExchangeStream, OpenExchange } from '../../exchange/transport.ts';
import type { DownMessage, ExchangeRef, UpMessage } from '../../gateway/messages.ts';

export interface ExchangeBridge {
  readonly open: OpenExchange;
  digest(message: Extract<UpMessage, { kind: `exchange-${string}` }>): void;
  /** Streams that peers open go to this exchange from now on. */
  serve(exchange: Pick<Exchange, 'accept'>): void;
}

export function makeExchangeBridge(post: (message: DownMessage) => void): ExchangeBridge {
  const handlersByChannel = new Map<string, ExchangeHandlers & { onOpened?(): void }>();
  let accept: Exchange['accept'] | undefined;

  function streamOf(ref: ExchangeRef): ExchangeStream {
    return {
      send: (line) => post({ kind: 'exchange-line', ...ref, line }),
      close() {
        handlersByChannel.delete(ref.channel);
        post({ kind: 'exchange-close', ...ref });
      },
    };
  }

  return {
    open(peer, handlers) {
      const ref = { peer, channel: randomUUID() };
      handlersByChannel.set(ref.channel, handlers);
      post({ kind: 'exchange-open', ...ref });
      return streamOf(ref);
    },
    serve(exchange) {
      accept = (peer, stream) => exchange.accept(peer, stream);
    },
    digest(message) {
      const ref = { peer: message.peer, channel: message.channel };
      switch (message.kind) {
        case 'exchange-opened':
          if (message.side === 'client') handlersByChannel.get(ref.channel)?.onOpened?.();
          else if (accept === undefined) post({ kind: 'exchange-close', ...ref });
          else handlersByChannel.set(ref.channel, accept(ref.peer, streamOf(ref)));
          return;
        case 'exchange-line':
          handlersByChannel.get(ref.channel)?.onLine(message.line);
          return post({ kind: 'exchange-consumed', ...ref });
        case 'exchange-closed': {
          const handlers = handlersByChannel.get(ref.channel);
          handlersByChannel.delete(ref.channel);
          handlers?.onClosed(message.reason);
        }
      }
    },
  };
}
