/** The services behind the demo's exports: a web service of our own, and a database if the machine has one. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createServer as createHttpServer, type Server } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { until } from './until.ts';

export interface DemoService {
  /** What it is, for people. */
  readonly name: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface Database extends DemoService {
  /** Uses it as a client would, and tells what came of it. */
  check(host: string, port: number): Promise<string>;
}

/** Size of a block of the bulk transfer. */
export const BLOCK_BYTES = 1024 * 1024;

/** Answers `/` with the peer's name, `/bulk/BLOCKS` with that many blocks, and a POST with the SHA-256 of what it got. */
export async function startWeb(peer: string): Promise<DemoService> {
  const block = makeBlock();
  const server = createHttpServer((request, response) => {
    response.setHeader('x-served-by', peer);
    if (request.method === 'POST') {
      const hash = createHash('sha256');
      request.on('data', (chunk: Buffer) => hash.update(chunk));
      request.on('end', () => response.end(hash.digest('hex')));
      return;
    }
    const blocks = /^\/bulk\/(\d{1,4})$/.exec(request.url ?? '')?.[1];
    if (blocks === undefined) return void response.end(`hello from ${peer}\n`);
    let left = Number(blocks);
    const push = (): void => {
      while (left > 0) {
        left--;
        if (!response.write(block)) return void response.once('drain', push);
      }
      response.end();
    };
    push();
  });
  const port = await listen(server);
  return {
    name: 'an HTTP service',
    port,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** The same bytes at both ends: what a hash must agree on. */
export function makeBlock(): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let offset = 0; offset < BLOCK_BYTES; offset += 4)
    block.writeUInt32LE(Math.imul(offset, 2654435761) >>> 0, offset);
  return block;
}

/** Redis if it is installed, else PostgreSQL if it is and may run here, else a TCP service that says what it is. */
export async function startDatabase(folder: string): Promise<Database> {
  const redis = findProgram(['redis-server']);
  if (redis !== undefined) return startRedis(redis, folder);
  const postgres = findPostgres();
  if (postgres !== undefined && process.getuid?.() !== 0) return startPostgres(postgres, folder);
  return startEcho();
}

async function startRedis(program: string, folder: string): Promise<Database> {
  const port = await freePort();
  await mkdir(folder, { recursive: true });
  const child = spawn(program, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder], {
    stdio: 'ignore',
  });
  const check = async (host: string, at: number): Promise<string> => {
    const answer = await exchangeBytes(host, at, 'SET demo works\r\nGET demo\r\n', /\$5\r\nworks\r\n/);
    return `SET and GET answered (${answer.length} bytes)`;
  };
  await whenUp(child, 'Redis answers', 10_000, () => check('127.0.0.1', port));
  return { name: 'Redis', port, check, close: () => end(child) };
}

async function startPostgres(folderOfPrograms: string, folder: string): Promise<Database> {
  const port = await freePort();
  await mkdir(folder, { recursive: true });
  const data = join(folder, 'pg');
  const made = spawnSync(join(folderOfPrograms, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'demo', '--no-sync'], {
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const child = spawn(
    join(folderOfPrograms, 'postgres'),
    ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F'],
    { stdio: 'ignore' },
  );
  const check = (host: string, at: number): Promise<string> => {
    const asked = spawnSync(
      'psql',
      ['-h', host, '-p', String(at), '-U', 'demo', '-d', 'postgres', '-Atc', 'select 6*7'],
      { encoding: 'utf8' },
    );
    return asked.stdout.trim() === '42'
      ? Promise.resolve('select 6*7 answered 42')
      : Promise.reject(new Error(asked.stderr));
  };
  await whenUp(child, 'PostgreSQL answers', 15_000, () => check('127.0.0.1', port));
  return { name: 'PostgreSQL', port, check, close: () => end(child) };
}

async function startEcho(): Promise<Database> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  const port = await listen(server);
  const check = async (host: string, at: number): Promise<string> => {
    await exchangeBytes(host, at, 'works\n', /works\n/);
    return 'the bytes came back';
  };
  return {
    name: 'a TCP echo service (neither Redis nor PostgreSQL can run here)',
    port,
    check,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Sends text and waits for an answer that matches. */
export function exchangeBytes(host: string, port: number, text: string, wanted: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: 5_000 });
    let answer = '';
    socket.setEncoding('utf8');
    socket.once('connect', () => socket.write(text));
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (!wanted.test(answer)) return;
      socket.end();
      resolve(answer);
    });
    socket.once('timeout', () => socket.destroy(new Error('no answer in 5 s')));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed before the answer was complete')));
  });
}

function findProgram(names: readonly string[]): string | undefined {
  for (const name of names) {
    const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    if (found.status === 0) return found.stdout.trim();
  }
  return undefined;
}

/** Debian keeps the server's programs out of PATH, one folder a version. */
function findPostgres(): string | undefined {
  const found = spawnSync('sh', ['-c', 'ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1'], {
    encoding: 'utf8',
  }).stdout.trim();
  return found !== '' && findProgram(['psql']) !== undefined ? found : undefined;
}

async function listen(server: Server | ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** A service that does not come up is ended: a child that lives keeps the demo from ending. */
async function whenUp(
  child: ChildProcess,
  what: string,
  timeoutMs: number,
  check: () => Promise<string>,
): Promise<void> {
  try {
    await until(what, timeoutMs, check);
  } catch (error) {
    await end(child);
    throw error;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(timer);
}
