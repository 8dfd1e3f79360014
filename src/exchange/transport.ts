/** What the exchange needs of whatever carries it: ordered lines both ways, and the news that a stream has ended. */

export interface ExchangeStream {
  send(line: unknown): void;
  close(): void;
}

export interface ExchangeHandlers {
  /** One line of the peer, any JSON value. */
  onLine(line: unknown): void;
  /** The stream has ended, for whatever cause; nothing follows. */
  onClosed(reason: string): void;
}

/** Opens an exchange stream to a peer that has a session; the peer's answer is `onOpened` or `onClosed`. */
export type OpenExchange = (peer: string, handlers: ExchangeHandlers & { onOpened(): void }) => ExchangeStream;
