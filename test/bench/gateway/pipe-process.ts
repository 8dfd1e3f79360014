/** One gateway of the `pipe` pair, a process: its order is its first argument. */
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type ConnectionOptions } from 'node:tls';
import { EXPORTER, type Credentials, type Place } from './system.ts';

export interface PipeOrder {
  readonly part: 'importer' | 'exporter';
  readonly own: Credentials;
  readonly hops: readonly { readonly from: Place; readonly to: Place }[];
}

const SOCKET = { allowHalfOpen: true, noDelay: true, highWaterMark: 64 * 1024 } as const;

function join(near: Socket, far: Socket): void {
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroySoon());
    from.pipe(to);
  }
}

const { part, own, hops } = JSON.parse(process.argv[2] ?? '') as PipeOrder;
const tls = {
  ca: readFileSync(own.ca),
  cert: readFileSync(own.cert),
  key: readFileSync(own.key),
  minVersion: 'TLSv1.3',
} as const;

for (const { from, to } of hops) {
  const server =
    part === 'importer'
      ? createServer(SOCKET, (near) => {
          // The typings do not know that `allowHalfOpen` holds here too.
          const options: ConnectionOptions & { readonly allowHalfOpen: boolean } = {
            ...SOCKET,
            ...to,
            ...tls,
            servername: EXPORTER,
          };
          const far = connectTls(options);
          far.setNoDelay(true);
          join(near, far);
        })
      : createTlsServer({ ...SOCKET, ...tls, requestCert: true, rejectUnauthorized: true }, (near) => {
          join(near, connect({ ...SOCKET, ...to }));
        }).on('tlsClientError', () => undefined);
  server.listen({ ...from, backlog: 4_096 });
}
process.on('disconnect', () => process.exit(0));
