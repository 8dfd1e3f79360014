/** An endpoint behind one peer: it checks what it gets, and answers what its client can check. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { resetSocket } from '#src/runtime/reset-socket.ts';
import { bytesOf, encodeLabel, makeChecker, makeLabelReader, type Checker, type Label } from './bytes.ts';

const PIECE_BYTES = 16 * 1024;
const PACED_PIECE_BYTES = 1024;

export interface ServiceOptions {
  readonly name: string;
  readonly peer: string;
  /** Takes the state of the peer's process when a connection comes; what it gives says at the end whether it died meanwhile. */
  watchProcess(): () => boolean;
  onWrong(what: string): void;
}

export interface Service {
  readonly port: number;
  close(): Promise<void>;
}

export async function startService(options: ServiceOptions): Promise<Service> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    serve(socket, options);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      open.forEach((socket) => resetSocket(socket));
      server.close();
      await once(server, 'close');
    },
  };
}

function serve(socket: Socket, { name, peer, watchProcess, onWrong }: ServiceOptions): void {
  const died = watchProcess();
  const reader = makeLabelReader();
  let checker: Checker | undefined;
  let label: Label | undefined;

  function wrong(what: string): void {
    onWrong(`${peer}/${name}: connection ${label?.id ?? 'without a label'}: ${what}`);
    resetSocket(socket);
  }

  function take(chunk: Buffer): void {
    if (checker === undefined) {
      const read = reader.push(chunk);
      if (read === undefined) return;
      if (read === 'wrong') return wrong('begins with bytes that no client sent');
      label = read.label;
      if (label.service !== name) return wrong(`was opened for ${label.service}`);
      checker = makeChecker(label.id, 'up', label.upBytes);
      chunk = read.rest;
      if (checker.missing === 0 && chunk.length === 0) return answer(socket, label, peer);
    }
    const before = checker.missing;
    const problem = checker.check(chunk);
    if (problem !== undefined) return wrong(problem);
    if (before > 0 && checker.missing === 0 && label !== undefined) answer(socket, label, peer);
  }

  socket.on('data', take);
  // A reset is what a cut looks like: neither lost nor wrong.
  socket.on('error', () => undefined);
  socket.on('end', () => {
    if (checker?.missing === 0 || died()) return void (checker?.missing === 0 || socket.destroy());
    wrong(`ended cleanly, ${checker?.missing ?? 'all'} bytes early`);
  });
}

function answer(socket: Socket, label: Label, peer: string): void {
  const { id, downBytes, paceMs } = label;
  let offset = 0;
  socket.write(encodeLabel({ ...label, from: peer }));
  const push = (): void => {
    if (socket.destroyed) return;
    if (offset === downBytes) return void socket.end();
    const length = Math.min(paceMs === 0 ? PIECE_BYTES : PACED_PIECE_BYTES, downBytes - offset);
    const piece = bytesOf({ id, direction: 'down', offset, length });
    offset += piece.length;
    // Each piece waits for the one before it: a client that does not read holds no more than one here.
    socket.write(piece, () => void (paceMs === 0 ? push() : setTimeout(push, paceMs)));
  };
  push();
}
