/**
 * Many tunnels at once to an exporter, as one ClusterLink peer would open them: in a thread of its own, since half of the work of a
 * thousand handshakes is theirs. Each says its number, and ends when all have heard theirs from an echo.
 */
import { connect, type TLSSocket } from 'node:tls';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { authzOf, connectOf, WANTED } from './fixture.ts';

export interface CrowdOptions {
  readonly port: number;
  readonly identity: PeerIdentity;
  readonly count: number;
}

export interface Crowd {
  /** How many tunnels were open together. */
  readonly open: number;
  /** What the others came to. */
  readonly failures: readonly string[];
}

/** On a machine with other work a thousand handshakes may take longer than callers may wait for theirs: an importer asks again. */
const ATTEMPTS_MAX = 5;

export function runCrowd(options: CrowdOptions): Promise<Crowd> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { crowd: options } });
    worker.once('message', resolve).once('error', reject);
  });
}

const { crowd } = (workerData ?? {}) as { readonly crowd?: CrowdOptions };
if (crowd !== undefined) void openAll(crowd).then((result) => parentPort?.postMessage(result));

async function openAll({ count, ...options }: CrowdOptions): Promise<Crowd> {
  const opened = await Promise.all(Array.from({ length: count }, (_, number) => openOne(options, `<${number}>`)));
  const failures = opened.filter((one) => typeof one === 'string');
  for (const one of opened) if (typeof one !== 'string') one.end();
  return { open: count - failures.length, failures: [...new Set(failures)] };
}

async function openOne(options: Omit<CrowdOptions, 'count'>, said: string): Promise<TLSSocket | string> {
  let last: TLSSocket | string = 'never tried';
  for (let attempt = 0; attempt < ATTEMPTS_MAX && typeof last === 'string'; attempt++)
    last = await tryOne(options, said);
  return last;
}

/** Its own token, then CONNECT over the same connection, then what it says comes back. */
function tryOne({ port, identity }: Omit<CrowdOptions, 'count'>, said: string): Promise<TLSSocket | string> {
  return new Promise((resolve) => {
    const { certPem: cert, keyPem: key, caPem: ca } = identity;
    const socket = connect({ host: '127.0.0.1', port, servername: 'west', cert, key, ca });
    let heard = '';
    let isOpen = false;
    socket.once('secureConnect', () => socket.write(authzOf(WANTED)));
    socket.on('data', (piece: Buffer) => {
      heard += piece.toString('latin1');
      const [, token] = /^HTTP\/1\.1 200 OK\r\nx-access-token: (\S+)\r\n.*\r\n\r\n$/s.exec(heard) ?? [];
      if (isOpen && heard === said) return resolve(socket);
      if (token !== undefined) socket.write(connectOf(`Bearer ${token}`));
      else if (!isOpen && heard === 'HTTP/1.1 200 OK\r\n\r\n') {
        isOpen = true;
        socket.write(said);
      } else return;
      heard = '';
    });
    socket.on('error', (error) => resolve(error.message)).once('close', () => resolve(`closed after ${heard}`));
  });
}
