/** A peer that has a valid certificate and keeps to nothing else. */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { dialPeer } from '#src/gateway/handshake.ts';
import type { Hello } from '#src/gateway/hello.ts';
import { encodeHeader, FLAGS, FRAME_TYPES } from '#src/gateway/yamux/frame.ts';
import { openYamux, type YamuxSession } from '#src/gateway/yamux/session.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';

export interface Victim {
  readonly name: string;
  readonly port: number;
}

export async function dialAs(identity: PeerIdentity, { name, port }: Victim): Promise<TLSSocket> {
  const gateway = { host: '127.0.0.1', port };
  const dialled = await dialPeer({ peer: name, gateway, identity, signal: AbortSignal.timeout(5_000) });
  if (!dialled.ok) throw new Error(dialled.message);
  return dialled.socket;
}

export function helloOf(peer: string, instance = 'one'): Hello {
  return { peer, epoch: 'epoch-hostile', instance, version: '6.6.6', features: [], streams: 100 };
}

export function helloLine(peer: string, instance?: string): string {
  return `${JSON.stringify({ hello: helloOf(peer, instance) })}\n`;
}

/** One data frame as bytes; with SYN the first one of its stream. */
export function dataFrame(streamId: number, text: string, flags = 0): Buffer {
  const header = encodeHeader({ type: FRAME_TYPES.data, flags, streamId, length: Buffer.byteLength(text) });
  return Buffer.concat([header, Buffer.from(text)]);
}
export const SYN = FLAGS.syn;

export interface HostileSession extends AsyncDisposable {
  readonly yamux: YamuxSession;
  readonly control: YamuxStream;
  /** Opens a stream and says this on it at once. */
  say(bytes: string | Buffer): YamuxStream;
}

/** A session that has greeted well; what comes then is the test's. `onStream` takes what the victim opens. */
export async function greetAs(
  identity: PeerIdentity,
  victim: Victim,
  onStream: (stream: YamuxStream) => void = (stream) => stream.reset(),
  instance?: string,
): Promise<HostileSession> {
  const socket = await dialAs(identity, victim);
  const yamux = openYamux({ socket, role: 'dialler', streamsMax: 2_000, onStream, onClose: () => undefined });
  const control = yamux.openStream();
  control.write(helloLine(identity.peer, instance));
  await once(control, 'data');
  control.resume();
  return {
    yamux,
    control,
    say(bytes) {
      const stream = yamux.openStream();
      stream.write(bytes);
      return stream;
    },
    async [Symbol.asyncDispose]() {
      yamux.destroy();
      if (!socket.closed) await once(socket, 'close');
    },
  };
}

/** Everything a stream gives until it ends or is reset. */
export async function readAll(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => stream.once('end', resolve).once('close', resolve));
  return Buffer.concat(chunks).toString();
}
