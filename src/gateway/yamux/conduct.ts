/** What a peer may do over a session, and how much: as the session asks, whoever answers. */
import { makeBucket } from '../../runtime/bucket.ts';
import { PINGS_PER_SECOND_MAX, WINDOW_BYTES_MAX } from './limits.ts';
import type { YamuxStream } from './stream.ts';

/** The bounds of a peer, which its sessions share, as its session asks for them. */
export interface Conduct {
  /** Whether the peer may open this stream; else it is reset. Asked after `streamsMax`. */
  admits(streamId: number): boolean;
  /** A stream was reset because `streamsMax` of the peer are open. */
  refused(streamId: number): void;
  /** False: it is a flood, and the session ends. */
  tolerates(act: 'pings' | 'stream_resets' | 'stream_refusals'): boolean;
  /** What a stream holds has changed; its `heldBytes` are 0 when it is gone. */
  onHeld(stream: YamuxStream): void;
  /** Bytes that wait in the socket. */
  onQueued(bytes: number): void;
  /** What the peer may be promised on a stream on which it is promised so much beyond WINDOW_BYTES. */
  windowBytesMax(beyondBytes: number): number;
  /** What the peer is promised beyond WINDOW_BYTES on one stream has changed. */
  onPromised(fromBytes: number, toBytes: number): void;
}

/** For a session that shares its bounds with no other. */
export function makeOwnConduct(now: () => number): Conduct {
  const pings = makeBucket({ perSecondMax: PINGS_PER_SECOND_MAX, now });
  return {
    admits: () => true,
    refused: () => undefined,
    tolerates: (act) => act !== 'pings' || pings.take(),
    onHeld: () => undefined,
    onQueued: () => undefined,
    windowBytesMax: () => WINDOW_BYTES_MAX,
    onPromised: () => undefined,
  };
}
