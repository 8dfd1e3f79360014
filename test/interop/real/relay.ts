/**
 * The API server of a site listens on this machine's loopback alone; a control plane lives in a network namespace. A socket in
 * a folder that both see joins them: `node relay.ts PORT SOCKET` inside the namespace, {@link startRelay} outside.
 */
import { once } from 'node:events';
import { connect, createServer, type NetConnectOpts, type Server } from 'node:net';

/** What it prints once it listens. */
export const LISTENING = 'listening';

export async function startRelay(
  listen: { readonly path: string } | { readonly port: number; readonly host: string },
  target: NetConnectOpts,
): Promise<Server> {
  const server = createServer((near) => {
    const far = connect(target);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
    }
  });
  server.listen(listen);
  await once(server, 'listening');
  return server;
}

if (import.meta.main) {
  const [port = '', path = ''] = process.argv.slice(2);
  await startRelay({ host: '127.0.0.1', port: Number(port) }, { path });
  console.log(LISTENING);
}
