/** A service that sends back what it is sent, for tests of connections that stay open. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface EchoService {
  /** On 127.0.0.1. */
  readonly port: number;
  close(): void;
}

/** @param greeting - said first, to each client. */
export async function startEchoService(greeting = ''): Promise<EchoService> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
    if (greeting !== '') socket.write(greeting);
    socket.pipe(socket);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1_000 });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    },
  };
}
