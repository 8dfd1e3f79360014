/** The clients of the demo: they know names, and ask the peer's own DNS for everything else. */
import { createHash } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { makeBlock } from './services.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface Names {
  resolve4(name: string): Promise<string[]>;
  resolveSrv(name: string): Promise<{ name: string; port: number }[]>;
  /** Address and port as DNS tells them: SRV knows the port that is really listened on. */
  locate(name: string): Promise<Place>;
}

export function makeNames(dnsPort: number): Names {
  const resolver = new Resolver({ timeout: 2_000, tries: 3 });
  resolver.setServers([`127.0.0.1:${dnsPort}`]);
  const names: Names = {
    resolve4: (name) => resolver.resolve4(name),
    resolveSrv: (name) => resolver.resolveSrv(name),
    async locate(name) {
      const [[host], [service]] = await Promise.all([names.resolve4(name), names.resolveSrv(name)]);
      if (host === undefined || service === undefined) throw new Error(`${name} has no address or no port`);
      return { host, port: service.port };
    },
  };
  return names;
}

/** What a client sees that connects and waits: `reset` before any byte, `end`, or still `open` after the time. */
export function watchConnection(place: Place, waitMs: number): Promise<'reset' | 'end' | 'open' | 'bytes'> {
  return new Promise((resolve) => {
    const socket = connect(place);
    const settle = (seen: 'reset' | 'end' | 'open' | 'bytes'): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(seen);
    };
    const timer = setTimeout(() => settle('open'), waitMs);
    socket.once('data', () => settle('bytes'));
    socket.once('end', () => settle('end'));
    socket.once('error', () => settle('reset'));
  });
}

export interface HeldConnection {
  mark(): void;
  /** How it ended, and how many milliseconds after the last `mark()`. */
  readonly cut: Promise<{ readonly how: 'reset' | 'end'; readonly ms: number }>;
  destroy(): void;
}

/** Opens a connection and keeps it. `first` is said in it, and answered, before it counts as open. */
export async function holdConnection(place: Place, first = ''): Promise<HeldConnection> {
  const socket: Socket = connect({ ...place, timeout: 5_000 });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => (first === '' ? resolve() : socket.write(first)));
    socket.once('data', () => resolve());
    socket.once('timeout', () => socket.destroy(new Error('nothing came in 5 s')));
    socket.once('error', reject);
    socket.once('end', () => reject(new Error('ended before it was used')));
  });
  socket.setTimeout(0);
  let markedMs = performance.now();
  const cut = new Promise<{ how: 'reset' | 'end'; ms: number }>((resolve) => {
    const settle = (how: 'reset' | 'end') => () => resolve({ how, ms: Math.round(performance.now() - markedMs) });
    socket.once('error', settle('reset'));
    socket.once('end', settle('end'));
    // Destroyed by us: nothing cut it in time.
    socket.once('close', settle('end'));
  });
  socket.resume();
  return {
    mark: () => {
      markedMs = performance.now();
    },
    cut,
    destroy: () => socket.destroy(),
  };
}

/** Asks for `/` and tells which peer's service answered. */
export function whoServes(place: Place): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...place, path: '/', agent: false, timeout: 5_000 }, (response) => {
      response.resume();
      response.once('end', () => resolve(String(response.headers['x-served-by'])));
      response.once('error', reject);
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer in 5 s')));
    asked.once('error', reject);
    asked.end();
  });
}

export interface Transfer {
  readonly sha256: string;
  readonly seconds: number;
}

export function download(place: Place, blocks: number): Promise<Transfer> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const asked = request({ ...place, path: `/bulk/${blocks}`, agent: false }, (response) => {
      const hash = createHash('sha256');
      response.on('data', (chunk: Buffer) => hash.update(chunk));
      response.once('end', () =>
        resolve({ sha256: hash.digest('hex'), seconds: (performance.now() - startedMs) / 1000 }),
      );
      response.once('error', reject);
    });
    asked.once('error', reject);
    asked.end();
  });
}

/** The hash is the one that the service computed of what it got. */
export function upload(place: Place, blocks: number): Promise<Transfer> {
  const startedMs = performance.now();
  const block = makeBlock();
  return new Promise((resolve, reject) => {
    const asked = request({ ...place, path: '/', method: 'POST', agent: false }, (response) => {
      let sha256 = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (sha256 += chunk));
      response.once('end', () => resolve({ sha256, seconds: (performance.now() - startedMs) / 1000 }));
      response.once('error', reject);
    });
    asked.once('error', reject);
    let left = blocks;
    const push = (): void => {
      while (left > 0) {
        left--;
        if (!asked.write(block)) return void asked.once('drain', push);
      }
      asked.end();
    };
    push();
  });
}

export function hashOfBlocks(blocks: number): string {
  const block = makeBlock();
  const hash = createHash('sha256');
  for (let count = 0; count < blocks; count++) hash.update(block);
  return hash.digest('hex');
}
