/** Whether this Node, with sockets that read into memory of ours, does all that the fast path relies on: plain and TLS, over loopback. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket, type TLSSocketOptions, type TlsOptions } from 'node:tls';
import type { Attach } from './attach.ts';
import { SELF_TEST_TIMEOUT_MS } from './limits.ts';

/** More than one TLS record, and no multiple of a buffer. */
const SENT = Buffer.from(Array.from({ length: 20_001 }, (_, index) => index % 251));
const BUFFER_BYTES = 1_024;
/** Without certificates: TLS 1.3 has no such form here. What is proved does not depend on the version. */
const TLS = { ciphers: 'PSK-AES128-GCM-SHA256', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;

/** @throws {Error} when it takes longer than {@link SELF_TEST_TIMEOUT_MS}, or a connection fails. */
export async function passesSelfTest(attach: Attach): Promise<boolean> {
  const signal = AbortSignal.timeout(SELF_TEST_TIMEOUT_MS);
  const server = createServer({ pauseOnConnect: true });
  server.listen({ host: '127.0.0.1', port: 0 });
  const sockets: Socket[] = [];
  try {
    await once(server, 'listening', { signal });
    for (const form of [(ends: Ends) => ends, secure]) {
      const plain = await connectTo(server, signal);
      const ends = form(plain);
      sockets.push(plain.client, plain.accepted, ends.client, ends.accepted);
      const received = await exchange({ ...ends, attach, signal });
      if (received?.equals(SENT) !== true) return false;
    }
    return true;
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

interface Ends {
  readonly client: Socket;
  readonly accepted: Socket;
}

async function connectTo(server: Server, signal: AbortSignal): Promise<Ends> {
  const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  client.on('error', () => undefined);
  const [accepted] = (await once(server, 'connection', { signal })) as [Socket];
  accepted.on('error', () => undefined);
  return { client, accepted };
}

function secure({ client, accepted }: Ends): Ends {
  const psk = Buffer.alloc(16);
  // The typings know of this option at servers only.
  const server: TLSSocketOptions & Pick<TlsOptions, 'pskCallback'> = { isServer: true, ...TLS, pskCallback: () => psk };
  const ends = {
    accepted: new TLSSocket(accepted, server),
    client: connectTls({
      ...{ ...TLS, socket: client, checkServerIdentity: () => undefined },
      pskCallback: () => ({ psk, identity: 'self-test' }),
    }),
  };
  for (const socket of [ends.client, ends.accepted]) socket.on('error', () => undefined);
  return ends;
}

/** Three buffers in turn, a read into every other one, bytes that differ, a pause between, an end. */
async function exchange(options: Ends & { readonly attach: Attach; readonly signal: AbortSignal }) {
  const { client, accepted, attach, signal } = options;
  const buffers = [0, 1, 2].map(() => Buffer.alloc(BUFFER_BYTES));
  const pieces: Buffer[] = [];
  let turn = 0;
  const next = (): Buffer => buffers[turn % buffers.length] as Buffer;
  const attached = attach(accepted, {
    next,
    onRead(bytes) {
      pieces.push(Buffer.from(next().subarray(0, bytes)));
      turn++;
      accepted.pause();
      setImmediate(goOn);
    },
  });
  if (attached === undefined) return undefined;
  function goOn(): void {
    turn++;
    attached?.move();
    accepted.resume();
  }
  const ended = once(accepted, 'end', { signal });
  // What came past the buffers would be missing here, and show.
  accepted.on('data', () => undefined);
  accepted.resume();
  client.end(SENT);
  await ended;
  return Buffer.concat(pieces);
}
