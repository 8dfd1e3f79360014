/** A session whose other end is driven frame by frame. */
import { duplexPair } from 'node:stream';
import { encodeHeader, FLAGS, type FrameHeader, FRAME_TYPES, makeFrameDecoder } from '#src/gateway/yamux/frame.ts';
import { openYamux, type YamuxOptions, type YamuxSession } from '#src/gateway/yamux/session.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';

export interface RawFrame {
  readonly header: FrameHeader;
  readonly payload: Buffer;
}

export interface RawPeer {
  /** An acceptor: the raw peer is the dialler, so its stream ids are odd. */
  readonly session: YamuxSession;
  /** Streams the session accepted. */
  readonly streams: YamuxStream[];
  /** What the session sent, in order. */
  readonly frames: RawFrame[];
  /** Settled by onClose. */
  readonly closed: Promise<Error | undefined>;
  send(header: Partial<FrameHeader>, payload?: Buffer): void;
  sendBytes(bytes: Buffer): void;
  /** Those that came since the last call. */
  answerPings(): void;
  /** Stops reading what the session sends. */
  stall(): void;
  /** Resolves when the condition holds; asked again after each frame and each turn. */
  until(condition: () => boolean): Promise<void>;
}

export function openRawPeer(options: Partial<YamuxOptions> = {}): RawPeer {
  const [socket, wire] = duplexPair();
  const frames: RawFrame[] = [];
  const streams: YamuxStream[] = [];
  const { promise: closed, resolve: onClose } = Promise.withResolvers<Error | undefined>();
  const session = openYamux({
    socket,
    role: 'acceptor',
    streamsMax: 10,
    onStream: (stream) => streams.push(stream),
    onClose,
    ...options,
  });
  let pieces: Buffer[] = [];
  let answered = 0;
  const decoder = makeFrameDecoder({
    onHeader: () => (pieces = []),
    onPayload: (bytes) => pieces.push(bytes),
    onFrameEnd: (header) => frames.push({ header, payload: Buffer.concat(pieces) }),
  });
  wire.on('data', (chunk: Buffer) => decoder.push(chunk));
  wire.on('error', () => {});
  function send(header: Partial<FrameHeader>, payload = Buffer.alloc(0)): void {
    const full = { type: FRAME_TYPES.data, flags: 0, streamId: 1, length: payload.length, ...header };
    wire.write(Buffer.concat([encodeHeader(full), payload]));
  }
  return {
    session,
    streams,
    frames,
    closed,
    send,
    answerPings() {
      for (const { header } of frames.slice(answered)) {
        const { type, flags, length } = header;
        if (type === FRAME_TYPES.ping && flags === FLAGS.syn) send({ type, streamId: 0, flags: FLAGS.ack, length });
      }
      answered = frames.length;
    },
    sendBytes: (bytes) => wire.write(bytes),
    stall: () => wire.pause(),
    async until(condition) {
      while (!condition()) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
