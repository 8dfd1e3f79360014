/** A peer that has a valid certificate and keeps to nothing else. */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { dialPeer } from '#src/gateway/handshake.ts';
import type { Hello } from '#src/gateway/hello.ts';
import { digestOf, hashOf } from '#src/exchange/digest.ts';
import { encodeAnswer, type ConnectRequest } from '#src/gateway/wire/connect.ts';
import { encodeHeader, FLAGS, FRAME_TYPES, type FrameHeader } from '#src/gateway/yamux/frame.ts';
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

export function helloOf(peer: string, instance = 'one', features: readonly string[] = []): Hello {
  return { peer, epoch: 'epoch-hostile', instance, version: '6.6.6', features, streams: 100 };
}

export function helloLine(...hello: Parameters<typeof helloOf>): string {
  return `${JSON.stringify({ hello: helloOf(...hello) })}\n`;
}

/** One data frame as bytes; with SYN the first one of its stream. */
export function dataFrame(streamId: number, text: string, flags = 0): Buffer {
  const header = encodeHeader({ type: FRAME_TYPES.data, flags, streamId, length: Buffer.byteLength(text) });
  return Buffer.concat([header, Buffer.from(text)]);
}
export const SYN = FLAGS.syn;

/** The same frame without payload over and over, or what `frameOf` makes of each number. */
export function frames(count: number, frameOf: (index: number) => Partial<FrameHeader>): Buffer {
  const header = { type: FRAME_TYPES.windowUpdate, flags: 0, streamId: 0, length: 0 };
  return Buffer.concat(Array.from({ length: count }, (_, index) => encodeHeader({ ...header, ...frameOf(index) })));
}

/** A session of which the test writes every byte; what the victim says is dropped. */
export async function greetRaw(identity: PeerIdentity, victim: Victim): Promise<TLSSocket> {
  const socket = await dialAs(identity, victim);
  socket.on('error', () => undefined);
  socket.write(dataFrame(1, helloLine(identity.peer), SYN));
  await once(socket, 'data');
  socket.resume();
  return socket;
}

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
  features?: readonly string[],
): Promise<HostileSession> {
  const socket = await dialAs(identity, victim);
  const yamux = openYamux({ socket, role: 'dialler', streamsMax: 2_000, onStream, onClose: () => undefined });
  const control = yamux.openStream();
  control.write(helloLine(identity.peer, instance, features));
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

let connections = 0;
/** A request for what the stage exports, and mallory may not have. */
export function makeConnect(changes: Partial<ConnectRequest> = {}): ConnectRequest {
  const connection = (connections++).toString(16).padStart(32, '0');
  return {
    exporter: 'east',
    export: { namespace: 'shop', name: 'echo' },
    port: { port: 7777, protocol: 'TCP' },
    source: null,
    client: connection,
    connection,
    via: ['mallory'],
    crit: [],
    ...changes,
  };
}

export function whenClosed(stream: YamuxStream): Promise<unknown> {
  return new Promise((resolve) => stream.once('close', resolve));
}

/** Answers every exchange that the victim asks for with these lines, and says no more. */
export function serveExchange(...lines: readonly unknown[]): (stream: YamuxStream) => void {
  return (stream) => {
    stream.once('data', () => {
      stream.resume();
      stream.write(encodeAnswer({ ok: true }));
      for (const line of lines) stream.write(typeof line === 'string' ? line : `${JSON.stringify(line)}\n`);
    });
  };
}

/** What a peer says of an export of its; anything may be changed into anything. */
export function makeRecord(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    ...{ namespace: 'tools', name: 'git', uid: 'uid-1', type: 'ClusterSetIP' },
    ports: [{ name: 'main', protocol: 'TCP', port: 7777 }],
    createdAt: '2026-11-20T10:00:00Z',
    readyEndpoints: 1,
    ...changes,
  };
}

/** A complete snapshot, as an honest exporter would say it. */
export function snapshotOf(...records: readonly Record<string, unknown>[]): unknown[] {
  const hashed = records.map((record) => ({
    namespace: String(record.namespace),
    name: String(record.name),
    hash: hashOf(record),
  }));
  return [
    ...records.map((record) => ({ op: 'record', record })),
    { op: 'synced', digest: digestOf(hashed), epoch: 'epoch-hostile' },
  ];
}
