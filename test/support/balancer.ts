/** A TCP load balancer as a cluster has one: each new connection to the next of its backends, which a test can change. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { resetSocket } from '#src/runtime/reset-socket.ts';

export interface Backend {
  readonly host?: string;
  readonly port: number;
  /** The address that the backend sees instead of the client's: a node that masquerades. */
  readonly seenAs?: string;
}

export interface Balancer {
  readonly port: number;
  /** Where new connections go; those that are open stay where they are. */
  setBackends(backends: readonly Backend[]): void;
  /** Resets every connection that is open. */
  cut(): void;
  close(): Promise<void>;
}

export async function startBalancer(first: readonly Backend[]): Promise<Balancer> {
  let backends = first;
  let turn = 0;
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const backend = backends[turn++ % Math.max(1, backends.length)];
    if (backend === undefined) return resetSocket(near);
    const { host = '127.0.0.1', port, seenAs } = backend;
    const from = seenAs === undefined ? {} : { localAddress: seenAs };
    const far = connect({ port, host, ...from, allowHalfOpen: true, noDelay: true });
    const reset = (): void => [near, far].forEach((socket) => void (socket.destroyed || resetSocket(socket)));
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', reset).on('close', () => open.delete(socket));
    }
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    setBackends: (next) => void (backends = next),
    cut: () => open.forEach((socket) => resetSocket(socket)),
    async close() {
      open.forEach((socket) => socket.destroy());
      server.close();
      await once(server, 'close');
    },
  };
}
