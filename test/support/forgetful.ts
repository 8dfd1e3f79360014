/**
 * A middle box that forgets flows on which it has seen nothing for a while, as NAT and firewalls do. It sees segments, not
 * bytes: a keep-alive probe carries none. So the kernel is asked (`ss`, package iproute2) how many came in at either end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { resetSocket } from '#src/runtime/reset-socket.ts';

export interface ForgetfulRelay {
  readonly port: number;
  /** How many flows it has forgotten: both ends are reset. */
  readonly forgotten: number;
  /** Since a byte of payload last came by. */
  idleMs(): number;
  close(): Promise<void>;
}

interface Flow {
  readonly ends: readonly Socket[];
  segments: string;
  seenMs: number;
}

/** Between two questions to the kernel. */
const LOOK_MS = 200;

export async function startForgetfulRelay(options: {
  readonly target: { readonly host: string; readonly port: number };
  readonly forgetAfterMs: number;
  /** The path of `ss`. */
  readonly ss: string;
}): Promise<ForgetfulRelay> {
  const { target, forgetAfterMs, ss } = options;
  const flows = new Set<Flow>();
  let forgotten = 0;
  let byteMs = performance.now();
  let isOpen = true;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ ...target, allowHalfOpen: true, noDelay: true });
    const flow: Flow = { ends: [near, far], segments: '', seenMs: performance.now() };
    flows.add(flow);
    const drop = (): void => {
      flows.delete(flow);
      for (const end of flow.ends) if (!end.destroyed) resetSocket(end);
    };
    for (const end of flow.ends) {
      end.on('error', drop).on('data', () => (byteMs = performance.now()));
      end.on('close', () => flow.ends.every(({ destroyed }) => destroyed) && flows.delete(flow));
    }
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function look(): Promise<void> {
    // Nobody is known to be silent for longer than until now: the answer may take long.
    const askedMs = performance.now();
    const counts = await segmentsIn(ss);
    for (const flow of flows) {
      const segments = flow.ends.map((end) => counts.get(placeOf(end)) ?? '').join();
      if (segments !== flow.segments) {
        flow.segments = segments;
        flow.seenMs = performance.now();
      } else if (askedMs - flow.seenMs > forgetAfterMs) {
        forgotten++;
        flow.ends.forEach((end) => resetSocket(end));
      }
    }
  }
  async function watch(): Promise<void> {
    while (isOpen) {
      await look();
      await sleep(LOOK_MS);
    }
  }
  const watching = watch();

  return {
    port: (server.address() as AddressInfo).port,
    get forgotten() {
      return forgotten;
    },
    idleMs: () => performance.now() - byteMs,
    async close() {
      isOpen = false;
      await watching;
      flows.forEach(({ ends }) => ends.forEach((end) => end.destroy()));
      server.close();
      await once(server, 'close');
    },
  };
}

function placeOf(socket: Socket): string {
  return `${socket.localAddress}:${socket.localPort} ${socket.remoteAddress}:${socket.remotePort}`;
}

/** Of each connection of this host: how many segments have come in. */
async function segmentsIn(ss: string): Promise<ReadonlyMap<string, string>> {
  // One connection a line: its state, two queues, its two ends, then what the kernel knows of it.
  const child = spawn(ss, ['-HtniO', 'state', 'established'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = (await text(child.stdout)).split('\n');
  return new Map(
    lines.map((line) => {
      const [, , local = '', remote = ''] = line.trim().split(/\s+/);
      return [`${local} ${remote}`, /\bsegs_in:(\d+)/.exec(line)?.[1] ?? ''];
    }),
  );
}
