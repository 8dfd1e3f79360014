/** TLS ends of which a test writes every byte and sees every record: what an emulated ClusterLink peer is held against. */
import type { SocketConstructorOpts } from 'node:net';
import { connect, createServer, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { endOfHead } from './head.ts';
import { readRecord } from './records.ts';
import { closeServer, happens, listenAt, makeSockets } from './sockets.ts';

/** Longer than anything in a test waits; shorter than mocha's patience. */
const WAIT_MS = 5_000;

export interface RawEnd {
  readonly socket: TLSSocket;
  /** Sent in one TLS record, and handed to the kernel when this resolves. */
  send(bytes: string | Buffer): Promise<void>;
  /** The next record; undefined at the end. */
  record(): Promise<Buffer | undefined>;
  /** Records until there is a blank line: the head, and what came beside it. */
  head(): Promise<{ readonly head: string; readonly beside: Buffer }>;
  /** All there is until the other side closes. */
  rest(): Promise<Buffer>;
}

export function makeRawEnd(socket: TLSSocket): RawEnd {
  socket.pause();
  const record = async (): Promise<Buffer | undefined> => {
    const read = await readRecord(socket, AbortSignal.timeout(WAIT_MS));
    if (read === 'late') throw new Error(`no record within ${WAIT_MS} ms`);
    return read === 'ended' ? undefined : read.bytes;
  };
  return {
    socket,
    send: (bytes) =>
      new Promise((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve()))),
    record,
    async head() {
      let bytes = Buffer.alloc(0);
      while (endOfHead(bytes) < 0) {
        const next = await record();
        if (next === undefined) throw new Error(`closed after ${JSON.stringify(bytes.toString())}`);
        bytes = Buffer.concat([bytes, next]);
      }
      const end = endOfHead(bytes);
      return { head: bytes.subarray(0, end).toString(), beside: bytes.subarray(end) };
    },
    async rest() {
      const records: Buffer[] = [];
      for (let next = await record(); next !== undefined; next = await record()) records.push(next);
      return Buffer.concat(records);
    },
  };
}

export interface RawDial {
  readonly port: number;
  /** SNI; also whose certificate is expected. */
  readonly peer: string;
  /** Absent: without a certificate. */
  readonly identity?: PeerIdentity;
  readonly caPem: string;
  readonly tls?: ConnectionOptions;
}

export async function dialRaw({ port, peer, identity, caPem, tls = {} }: RawDial): Promise<RawEnd> {
  const options: ConnectionOptions & Pick<SocketConstructorOpts, 'allowHalfOpen'> = {
    host: '127.0.0.1',
    port,
    servername: peer,
    ca: caPem,
    allowHalfOpen: true,
    ...(identity === undefined ? {} : { cert: identity.certPem, key: identity.keyPem }),
    ...tls,
  };
  const socket = connect(options);
  socket.on('error', () => undefined);
  if (!(await happens(socket, 'secureConnect', AbortSignal.timeout(WAIT_MS)))) throw new Error('no TLS connection');
  socket.setNoDelay(true);
  return makeRawEnd(socket);
}

export interface RawGateway extends AsyncDisposable {
  readonly port: number;
  /** How many connections came, refused ones of TLS aside. */
  connections(): number;
}

/** A gateway whose answers are the test's. */
export async function startRawGateway(
  identity: PeerIdentity,
  serve: (end: RawEnd) => Promise<void>,
): Promise<RawGateway> {
  const sockets = makeSockets();
  const { certPem, keyPem, caPem } = identity;
  const server = createServer({
    cert: certPem,
    key: keyPem,
    ca: caPem,
    requestCert: true,
    allowHalfOpen: true,
    noDelay: true,
  });
  let connections = 0;
  server.on('connection', sockets.track).on('secureConnection', (socket) => {
    connections++;
    serve(makeRawEnd(sockets.track(socket))).catch(() => socket.destroy());
  });
  const port = await listenAt(server, 0);
  return {
    port,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      const closed = closeServer(server);
      await sockets.close();
      await closed;
    },
  };
}
