/** TCP connections, counted: all together and of each client. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Client, ClientNetworks } from './clients.ts';
import { TCP_CONNECTIONS_MAX, TCP_CONNECTIONS_PER_CLIENT_MAX, TCP_TIMEOUT_MS } from './limits.ts';
import type { DropReason } from './counts.ts';
import { serveTcpConnection } from './tcp-connection.ts';

export interface TcpLimits {
  readonly connectionsMax: number;
  readonly connectionsPerClientMax: number;
  readonly timeoutMs: number;
}

export const TCP_LIMITS: TcpLimits = {
  connectionsMax: TCP_CONNECTIONS_MAX,
  connectionsPerClientMax: TCP_CONNECTIONS_PER_CLIENT_MAX,
  timeoutMs: TCP_TIMEOUT_MS,
};

export interface TcpListenerOptions {
  readonly clients: ClientNetworks;
  readonly limits: TcpLimits;
  respond(query: Buffer, client: Client): Buffer | undefined;
  onDrop(reason: DropReason): void;
}

export interface TcpListener {
  readonly server: Server;
  /** Stops listening and ends every connection; resolves when nothing is left. */
  close(): Promise<void>;
}

/** Not listening yet. */
export function makeTcpListener({ clients, limits, respond, onDrop }: TcpListenerOptions): TcpListener {
  const sockets = new Set<Socket>();
  const countByAddress = new Map<string, number>();

  function refusal(client: Client | undefined): DropReason | undefined {
    if (client === undefined) return 'client-not-allowed';
    const ofClient = countByAddress.get(client.address) ?? 0;
    const isFull = sockets.size >= limits.connectionsMax || ofClient >= limits.connectionsPerClientMax;
    return isFull ? 'connections' : undefined;
  }

  function admit(socket: Socket, { address }: Client): void {
    sockets.add(socket);
    countByAddress.set(address, (countByAddress.get(address) ?? 0) + 1);
    socket.on('close', () => {
      sockets.delete(socket);
      const left = (countByAddress.get(address) ?? 0) - 1;
      if (left > 0) countByAddress.set(address, left);
      else countByAddress.delete(address);
    });
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    // Already gone: there is no address any more, and no client.
    if (socket.remoteAddress === undefined) return void socket.destroy();
    const client = clients.classify(socket.remoteAddress);
    const reason = refusal(client);
    if (client === undefined || reason !== undefined) {
      onDrop(reason ?? 'client-not-allowed');
      // A reset may still come in; without a listener it would end the process.
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    admit(socket, client);
    const { timeoutMs } = limits;
    serveTcpConnection(socket, { respond: (query) => respond(query, client), timeoutMs, onCut: onDrop });
  });

  return {
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
