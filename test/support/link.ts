/** A wire between two peers that a test can cut or stall: a relay in user space, bytes as they come. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { resetSocket } from '#src/runtime/reset-socket.ts';

/** `stalled`: nothing passes in either direction and nobody is told, as with a cable that was pulled. */
export type LinkState = 'open' | 'cut' | 'stalled';

export interface Link {
  /** At 127.0.0.1: who dials it gets to the target. */
  readonly port: number;
  /** A cut resets what is open, and refuses what comes until it is open again. */
  set(state: LinkState): void;
  close(): Promise<void>;
}

export interface LinkTarget {
  readonly host: string;
  readonly port: number;
}

/** Connections that wait for a stalled link to open: more than two peers ever dial in that time. */
const WAITING_MAX = 256;

export async function startLink(target: LinkTarget): Promise<Link> {
  let state: LinkState = 'open';
  const relays = new Set<Relay>();
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (near) => {
    if (state === 'cut' || relays.size >= WAITING_MAX) return void resetSocket(near);
    const relay = makeRelay(near, target, () => relays.delete(relay));
    relays.add(relay);
    relay.set(state);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    set(next) {
      state = next;
      relays.forEach((relay) => relay.set(next));
    },
    async close() {
      relays.forEach((relay) => relay.set('cut'));
      server.close();
      await once(server, 'close');
    },
  };
}

interface Relay {
  set(state: LinkState): void;
}

function makeRelay(near: Socket, target: LinkTarget, onGone: () => void): Relay {
  let far: Socket | undefined;
  let state: LinkState = 'open';
  let failed = false;

  function reset(): void {
    failed = true;
    // Over a wire that is pulled, a reset does not come through either: it is passed on when the wire is back.
    if (state === 'stalled') return;
    for (const socket of [near, far]) if (socket?.destroyed === false) resetSocket(socket);
    onGone();
  }

  function watch(socket: Socket): void {
    socket.on('error', reset).on('close', () => {
      if (near.destroyed && far?.destroyed !== false) onGone();
    });
  }

  function flow(): void {
    if (far === undefined) {
      far = connect({ ...target, allowHalfOpen: true, noDelay: true });
      watch(far);
    }
    near.pipe(far);
    far.pipe(near);
  }

  function hold(): void {
    if (far === undefined) return;
    near.unpipe(far).pause();
    far.unpipe(near).pause();
  }

  watch(near);
  return {
    set(next) {
      state = next;
      if (next === 'cut' || (next === 'open' && failed)) reset();
      else if (next === 'open') flow();
      else hold();
    },
  };
}
