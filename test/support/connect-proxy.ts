/** An HTTP proxy that knows CONNECT, as a company has it: the only way out, and the only one that resolves the names outside. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { resetSocket } from '#src/runtime/reset-socket.ts';

export interface ConnectProxy {
  readonly port: number;
  /** What was asked for: `host:port`, in order. */
  readonly asked: readonly string[];
  /** Connections that are open now. */
  readonly open: number;
  /** `stalls`: takes connections and says nothing; a number: answers with this status; else it connects. */
  set(behaviour: 'connects' | 'stalls' | number): void;
  cut(): void;
  close(): Promise<void>;
}

export interface ConnectProxyOptions {
  /** By `host:port` as clients name it: the port at 127.0.0.1 where that is. */
  readonly hosts: Readonly<Record<string, number>>;
  /** The `Proxy-Authorization` that it takes; without it anybody may. */
  readonly authorization?: string;
}

export async function startConnectProxy({ hosts, authorization }: ConnectProxyOptions): Promise<ConnectProxy> {
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  let behaviour: 'connects' | 'stalls' | number = 'connects';
  const own = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };

  function serve(near: Socket, head: string): void {
    const [first = '', ...fields] = head.split('\r\n');
    const target = /^CONNECT (\S+) HTTP\/1\.1$/.exec(first)?.[1] ?? '';
    asked.push(target);
    const given = fields.find((field) => field.startsWith('Proxy-Authorization: '))?.slice(21);
    if (behaviour !== 'connects') return refuse(near, Number(behaviour));
    if (given !== authorization) return refuse(near, 407);
    const port = hosts[target];
    if (port === undefined || !fields.includes(`Host: ${target}`)) return refuse(near, 502);
    const far = own(connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }));
    far.once('connect', () => {
      near.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n');
      near.pipe(far);
      far.pipe(near);
    });
    for (const socket of [near, far]) {
      socket.once('close', () => [near, far].forEach((end) => void (end.destroyed || resetSocket(end))));
    }
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    own(near);
    if (behaviour === 'stalls') return;
    let head = '';
    near.on('data', function onHead(chunk: Buffer) {
      head += chunk.toString('latin1');
      if (!head.endsWith('\r\n\r\n')) return;
      near.off('data', onHead).pause();
      serve(near, head.slice(0, -4));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => sockets.forEach((socket) => resetSocket(socket));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    get open() {
      return sockets.size;
    },
    set: (next) => void (behaviour = next),
    cut,
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

/** With a page for browsers, as proxies do it. */
function refuse(socket: Socket, status: number): void {
  const page = '<html>no</html>';
  const fields = `Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: Basic\r\nContent-Length: ${page.length}`;
  socket.end(`HTTP/1.1 ${status} No\r\n${fields}\r\n\r\n${page}`);
}
