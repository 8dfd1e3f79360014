/** Exchange streams of the data plane: opened here or by peers, their lines carried to and from the control part. */
import { randomUUID } from 'node:crypto';
import { AppError } from '../api/errors.ts';
import type { Account } from './account.ts';
import {
  ANSWER_TIMEOUT_MS,
  EXCHANGE_LINE_BYTES_MAX,
  EXCHANGE_LINES_PER_TURN_MAX,
  EXCHANGES_PER_PEER_MAX,
} from './limits.ts';
import type { DownMessage, ExchangeRef, UpMessage } from './messages.ts';
import type { Peers } from './peers.ts';
import { readHead } from './read-head.ts';
import type { PeerLink } from './link.ts';
import type { PeerSession } from './session.ts';
import { makeTurns } from './turns.ts';
import { encodeAnswer, encodeExchange, parseAnswer } from './wire/connect.ts';
import { makeResponseHeadParser } from './wire/head.ts';
import { makeLineReader, writeLine, type LineReader } from './wire/lines.ts';
import type { YamuxStream } from './yamux/stream.ts';

export interface ExchangeStreams {
  /** A peer asks for the exchange on this stream. */
  serve(session: PeerSession, stream: YamuxStream): void;
  digest(message: Extract<DownMessage, { kind: `exchange-${string}` }>): void;
  /** Ends those over this session, which another one has replaced: both sides open them anew, and offer what they have. */
  leave(session: PeerLink): void;
  /** How many go over it. */
  countOver(session: PeerLink): number;
  close(): void;
}

interface Channel {
  readonly ref: ExchangeRef;
  readonly side: 'client' | 'server';
  /** Undefined while none is chosen. */
  session: PeerSession | undefined;
  stream: YamuxStream | undefined;
  reader: LineReader | undefined;
  /** Lets the reader go on; set while a line is with the control part. */
  next: (() => void) | undefined;
}

export interface ExchangeStreamsOptions {
  readonly peers: Peers;
  readonly account: Account;
  post(message: UpMessage): void;
}

export function makeExchangeStreams({ peers, account, post }: ExchangeStreamsOptions): ExchangeStreams {
  const channels = new Map<string, Channel>();
  const turns = makeTurns({ perTurnMax: EXCHANGE_LINES_PER_TURN_MAX, nextTurn: (run) => void setImmediate(run) });

  function addChannel(ref: ExchangeRef, side: Channel['side']): Channel {
    const channel: Channel = { ref, side, session: undefined, stream: undefined, reader: undefined, next: undefined };
    channels.set(ref.channel, channel);
    return channel;
  }

  function attach(channel: Channel, stream: YamuxStream): void {
    channel.stream = stream;
    const memory = account.of(channel.ref.peer).hold();
    channel.reader = makeLineReader(stream, {
      lineBytesMax: EXCHANGE_LINE_BYTES_MAX,
      onHeld: (bytes) => memory.set(bytes),
      // One line at a time is with the control part: a peer cannot fill its queue.
      onLine: async (line) => {
        await turns.take(channel.ref.peer);
        if (!channels.has(channel.ref.channel)) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        channel.next = resolve;
        post({ kind: 'exchange-line', ...channel.ref, line });
        await promise;
      },
      onEnd: () => close(channel, 'the peer ended the stream'),
      onError: (error) => close(channel, error.message),
    });
    post({ kind: 'exchange-opened', side: channel.side, ...channel.ref });
  }

  function close(channel: Channel, reason: string): void {
    if (!channels.delete(channel.ref.channel)) return;
    channel.reader?.close();
    channel.next?.();
    channel.stream?.reset();
    post({ kind: 'exchange-closed', ...channel.ref, reason });
  }

  async function open(ref: ExchangeRef): Promise<void> {
    const channel = addChannel(ref, 'client');
    try {
      const session = peers.sessionFor(ref.peer);
      if (session === undefined) throw new AppError('ERR_STREAM_RESET', `no session with ${ref.peer}`);
      const stream = session.openStream();
      channel.session = session;
      channel.stream = stream;
      stream.write(encodeExchange(ref.peer));
      const answer = parseAnswer(await readHead(stream, makeResponseHeadParser(), ANSWER_TIMEOUT_MS));
      if (!answer.ok) throw new AppError('ERR_STREAM_RESET', `${ref.peer} refused the exchange: ${answer.reason}`);
      if (channels.has(ref.channel)) attach(channel, stream);
    } catch (error) {
      close(channel, error instanceof Error ? error.message : String(error));
    }
  }

  /** The control part sends a few lines ahead and then waits for these acknowledgements: a slow peer holds it back. */
  async function send(channel: Channel, line: unknown): Promise<void> {
    if (channel.stream === undefined) return;
    try {
      await writeLine(channel.stream, line);
      if (channels.has(channel.ref.channel)) post({ kind: 'exchange-sent', ...channel.ref });
    } catch (error) {
      close(channel, error instanceof Error ? error.message : String(error));
    }
  }

  return {
    serve(session, stream) {
      const { peer } = session;
      const present = [...channels.values()].filter(({ side, ref }) => side === 'server' && ref.peer === peer);
      // The newest is the one that lives: an older one belongs to a session that the peer has lost.
      for (const channel of present.slice(0, Math.max(0, present.length - EXCHANGES_PER_PEER_MAX + 1))) {
        close(channel, 'replaced by a newer stream');
      }
      stream.write(encodeAnswer({ ok: true }));
      const channel = addChannel({ peer, channel: randomUUID() }, 'server');
      channel.session = session;
      attach(channel, stream);
    },
    leave(session) {
      for (const channel of [...channels.values()]) {
        if (channel.session === session) close(channel, 'its session was replaced');
      }
    },
    countOver: (session) => [...channels.values()].filter((channel) => channel.session === session).length,
    digest(message) {
      if (message.kind === 'exchange-open') return void open({ peer: message.peer, channel: message.channel });
      const channel = channels.get(message.channel);
      if (channel === undefined) return;
      switch (message.kind) {
        case 'exchange-line':
          return void send(channel, message.line);
        case 'exchange-consumed': {
          const { next } = channel;
          channel.next = undefined;
          return next?.();
        }
        case 'exchange-close':
          return close(channel, '');
      }
    },
    close() {
      for (const channel of [...channels.values()]) close(channel, 'the gateway is shutting down');
    },
  };
}
