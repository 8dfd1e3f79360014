/** A TCP proxy between two gateways that a test can stall and cut: the network between them. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { resetSocket } from '#src/runtime/reset-socket.ts';

export interface Proxy {
  readonly port: number;
  /** All that it ever took, in the order in which they came, and what each has carried in both directions. */
  connections(): readonly { readonly open: boolean; readonly bytes: number }[];
  /** Bytes from the target wait until `release`. */
  hold(): void;
  release(): void;
  /** Resets every connection that is open; new ones are taken. */
  cut(): void;
  close(): Promise<void>;
}

export async function startProxy(targetPort: number): Promise<Proxy> {
  const pairs = new Set<{ near: Socket; far: Socket }>();
  const taken: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const pair = { near, far };
    pairs.add(pair);
    taken.push(near);
    const drop = (): void => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on('error', drop).on('close', drop);
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const { near, far } of [...pairs]) {
      resetSocket(near);
      resetSocket(far);
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    connections: () =>
      taken.map(({ destroyed, bytesRead, bytesWritten }) => ({ open: !destroyed, bytes: bytesRead + bytesWritten })),
    hold: () => pairs.forEach(({ near, far }) => far.unpipe(near)),
    release: () => pairs.forEach(({ near, far }) => far.pipe(near)),
    cut,
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
