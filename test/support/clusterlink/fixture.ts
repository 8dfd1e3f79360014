/** What tests of the emulated peer share: services, two peers named as in the reference, clients, and requests by hand. */
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import type { TestFabric } from '#test/support/fabric.ts';
import { waitFor } from '#test/support/wait.ts';
import { makePolicy } from './decision-rows.ts';
import type { FlavourName, Timeouts } from './flavour.ts';
import { startClusterLinkPeer, type ClusterLinkPeer, type ClusterLinkPeerOptions } from './peer.ts';
import { dialRaw, type RawDial, type RawEnd } from './raw.ts';
import { closeServer, listenAt, makeSockets, whenClosed } from './sockets.ts';

/** A hundredth of the real intervals. */
const QUICK = { heartbeatHealthyMs: 10, heartbeatUnhealthyMs: 100 };
/** Envoy's 200 ms measure this machine where a test is about something else. */
const PATIENT: Readonly<Record<FlavourName, Partial<Timeouts>>> = { go: {}, envoy: { egressMs: 5_000 } };

export interface Client {
  readonly socket: Socket;
  /** All that came, once it is closed; `reset` where it ended in an error. */
  readonly ended: Promise<{ readonly received: Buffer; readonly reset: boolean }>;
  received(): Buffer;
}

type PeerOptions = Omit<ClusterLinkPeerOptions, 'fabric'>;
type Service = (socket: Socket) => void;

export interface Fixture extends AsyncDisposable {
  onClose(close: () => Promise<unknown>): void;
  startService(serve: Service): Promise<number>;
  startPeer(options: PeerOptions): Promise<ClusterLinkPeer>;
  /** west exports shop/db to everybody. */
  startExporter(
    flavour: FlavourName,
    options?: Partial<PeerOptions> & { readonly service?: Service },
  ): Promise<ClusterLinkPeer>;
  /** east imports west's shop/db as store/db; west is reachable unless other peers are given. */
  startImporter(
    flavour: FlavourName,
    west: Pick<ClusterLinkPeer, 'gatewayPort'>,
    options?: Partial<PeerOptions>,
  ): Promise<ClusterLinkPeer>;
  /** A connection as east, of which the test writes every byte. */
  dial(west: Pick<ClusterLinkPeer, 'gatewayPort'>, options?: Partial<RawDial>): Promise<RawEnd>;
  /** A token for shop/db, by hand. */
  takeToken(west: ClusterLinkPeer): Promise<string>;
  /** A tunnel to shop/db, by hand. */
  openTunnel(west: ClusterLinkPeer): Promise<RawEnd>;
  connectTo(port: number): Client;
  /** What an echo gives back of this, or what came until the connection was closed. */
  roundTrip(port: number, payload: string | Buffer): Promise<Buffer>;
}

export const echo: Service = (socket) => void socket.pipe(socket);

export function makeFixture(fabric: Pick<TestFabric, 'identity'>): Fixture {
  const closers: (() => Promise<unknown>)[] = [];
  const onClose = (close: () => Promise<unknown>): void => void closers.push(close);

  async function startService(serve: Service): Promise<number> {
    const sockets = makeSockets();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => serve(sockets.track(socket)));
    onClose(async () => {
      const closed = closeServer(server);
      await sockets.close();
      await closed;
    });
    return listenAt(server, 0);
  }

  async function startPeer(options: PeerOptions): Promise<ClusterLinkPeer> {
    const timeouts = { ...QUICK, ...PATIENT[options.flavour], ...options.timeouts };
    const peer = await startClusterLinkPeer({ fabric, ...options, timeouts });
    onClose(() => peer.close());
    return peer;
  }

  async function dial(
    { gatewayPort }: Pick<ClusterLinkPeer, 'gatewayPort'>,
    options: Partial<RawDial> = {},
  ): Promise<RawEnd> {
    const identity = await fabric.identity('east');
    const end = await dialRaw({ port: gatewayPort, peer: 'west', identity, caPem: identity.caPem, ...options });
    onClose(() => {
      end.socket.destroy();
      return whenClosed(end.socket);
    });
    return end;
  }

  async function takeToken(west: ClusterLinkPeer): Promise<string> {
    return (await ask(await dial(west), authzOf(WANTED))).token;
  }

  function connectTo(port: number): Client {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const pieces: Buffer[] = [];
    let reset = false;
    socket.on('error', () => (reset = true)).on('data', (piece: Buffer) => pieces.push(piece));
    // A client that is told the end ends too.
    socket.on('end', () => socket.end());
    const received = (): Buffer => Buffer.concat(pieces);
    const ended = whenClosed(socket).then(() => ({ received: received(), reset }));
    onClose(() => {
      socket.destroy();
      return ended;
    });
    return { socket, ended, received };
  }

  return {
    onClose,
    startService,
    startPeer,
    async startExporter(flavour, { service = echo, ...options } = {}) {
      const target = { host: '127.0.0.1', port: await startService(service) };
      const exports = [{ namespace: 'shop', name: 'db', target }];
      return startPeer({ name: 'west', flavour, exports, policies: [makePolicy('allow', undefined)], ...options });
    },
    async startImporter(flavour, { gatewayPort }, options = {}) {
      const sources = [{ peer: 'west', exportName: 'db', exportNamespace: 'shop' }];
      const importer = await startPeer({
        name: 'east',
        flavour,
        imports: [{ namespace: 'store', name: 'db', sources }],
        peers: [{ name: 'west', gateways: [{ host: '127.0.0.1', port: gatewayPort }] }],
        policies: [makePolicy('allow', undefined)],
        ...options,
      });
      if (options.peers === undefined) await waitFor('a heartbeat', () => importer.reachable('west'));
      return importer;
    },
    dial,
    takeToken,
    async openTunnel(west) {
      const token = await takeToken(west);
      const end = await dial(west);
      await end.send(connectOf(`Bearer ${token}`));
      assert.match((await end.head()).head, /^HTTP\/1\.1 200 OK\r\n/);
      return end;
    },
    connectTo,
    async roundTrip(port, payload) {
      const client = connectTo(port);
      client.socket.write(payload);
      const length = Buffer.byteLength(payload);
      await waitFor('the echo', () => client.received().length >= length || client.socket.closed);
      client.socket.destroy();
      return client.received();
    },
    async [Symbol.asyncDispose]() {
      for (const close of closers.splice(0).reverse()) await close();
    },
  };
}

export const HEARTBEAT = 'GET /healthz HTTP/1.1\r\nHost: h:1\r\n\r\n';

export const WANTED = { ServiceName: 'db', ServiceNamespace: 'shop', SrcAttributes: null };

/** @param body - as it is when it is text, else as JSON. */
export function authzOf(body: unknown): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return `POST /authz HTTP/1.1\r\nHost: h:1\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

export function connectOf(authorization?: string, target = 'west:443'): string {
  const field = authorization === undefined ? '' : `Authorization: ${authorization}\r\n`;
  return `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${field}\r\n`;
}

export interface Asked {
  readonly status: number;
  readonly head: string;
  /** Empty when there is none. */
  readonly token: string;
}

/** One request on this connection, its answer read to the end of its body. */
export async function ask(end: RawEnd, request: string): Promise<Asked> {
  await end.send(request);
  const { head, beside } = await end.head();
  let body = beside.length;
  const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
  while (body < length) body += (await end.record())?.length ?? assert.fail('a body that is cut');
  const token = /^x-access-token: (.*)\r$/im.exec(head)?.[1] ?? '';
  return { head, status: Number(head.split(' ')[1]), token };
}
