/** What the exchange needs of whatever carries it: ordered lines both ways, and the news that a stream has ended. */

export interface ExchangeStream {
  /** Always takes the line. False: enough for now, the next one after `onWritable`. */
  send(line: unknown): boolean;
  close(): void;
}

export interface ExchangeHandlers {
  /**
   * One line of the peer, any JSON value.
   *
   * @returns how many milliseconds later the next one may come: whoever carries lines leaves it with the peer for so long.
   */
  onLine(line: unknown): number;
  /** After a `send` that gave false: there is room again. */
  onWritable(): void;
  /** The stream has ended, for whatever cause; nothing follows. */
  onClosed(reason: string): void;
}

/** Opens an exchange stream to a peer that has a session; the peer's answer is `onOpened` or `onClosed`. */
export type OpenExchange = (peer: string, handlers: ExchangeHandlers & { onOpened(): void }) => ExchangeStream;
