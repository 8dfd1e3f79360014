/** An HTTP proxy in the place of the internet: what it calls by an address of an example is a port of this machine. */
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export interface Internet {
  readonly url: string;
  close(): Promise<void>;
}

/** `places`: `host:port` as peers dial it, and the port of this machine that is there. Whatever else is dialled is not there. */
export async function startInternet(places: ReadonlyMap<string, number>): Promise<Internet> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on('connection', keep);
  server.on('connect', ({ url = '' }, client: Socket, head: Buffer) => {
    // A caller that goes while the other end is connected must not take the demo along.
    client.on('error', () => client.destroy());
    const port = places.get(url);
    if (port === undefined) return void client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
    const onward = connect({ host: '127.0.0.1', port });
    keep(onward);
    onward.on('error', () => client.destroy());
    onward.once('close', () => client.destroy());
    client.once('close', () => onward.destroy());
    onward.once('connect', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.write(head);
      client.pipe(onward).pipe(client);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
