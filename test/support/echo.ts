/** A service that sends back what it is sent, and a client that asks it words, for tests of connections that stay open. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

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

export interface EchoClient {
  /** The next line of the service that nobody has asked for: its greeting. */
  line(): Promise<string>;
  /** Sends a word and waits until it comes back. One at a time. */
  ask(word: string): Promise<void>;
  /** How it ended: an error code, or `clean`. */
  readonly ended: Promise<string>;
  /** The same so far; undefined while it is open. */
  how(): string | undefined;
  close(): void;
}

export function openEchoClient(address: { readonly host: string; readonly port: number }): EchoClient {
  const socket = connect({ ...address, noDelay: true });
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  let how: string | undefined;
  let code = 'clean';
  let said = '';
  let wake = (): void => undefined;
  socket.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    wake();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? error.message));
  socket.on('close', () => {
    how = code;
    end(code);
    wake();
  });
  async function line(): Promise<string> {
    while (!said.includes('\n')) {
      if (how !== undefined) throw new Error(`ended (${how})`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
    const [first = '', ...rest] = said.split('\n');
    said = rest.join('\n');
    return first;
  }
  return {
    line,
    ended,
    how: () => how,
    async ask(word) {
      socket.write(`${word}\n`);
      assert.equal(await line(), word);
    },
    close: () => void socket.destroy(),
  };
}
