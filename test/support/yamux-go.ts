/** hashicorp's yamux, the Go module itself, as the other end of a session: a program of test/support/yamux-go that does as it is told. */
import { spawn, spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, mkdirSync, readFileSync, renameSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const SOURCES = join(import.meta.dirname, 'yamux-go');
const BUILD_TIMEOUT_MS = 300_000;

/** yamux' own: any of them ends without a word about why. */
export type GoRole = 'client' | 'server';

export interface GoSessionOptions {
  /** `client`: it opens odd streams. */
  readonly role: GoRole;
  /** Streams that nobody has accepted yet; those beyond are reset. */
  readonly acceptBacklog?: number;
  /** At least 256 KiB, which is what a stream begins with. */
  readonly windowBytes?: number;
  /** How long a stream that it has closed waits for the other half; then it is reset. */
  readonly closeTimeoutMs?: number;
}

export interface GoPace {
  readonly pieceBytes?: number;
  /** After each piece. */
  readonly pauseUs?: number;
}

export interface GoRead {
  readonly bytes: number;
  readonly sha256: string;
  /** `enough`: as much as was asked for. */
  readonly ended: 'enough' | 'end' | 'reset';
}

export interface GoStream {
  readonly id: number;
  /** Bytes that follow from the seed. @throws when the stream takes no more. */
  write(bytes: number, pace?: GoPace & { readonly seed?: number }): Promise<{ readonly sha256: string }>;
  /** All until the end unless a number is given. */
  read(pace?: GoPace & { readonly bytes?: number }): Promise<GoRead>;
  /** The half that it writes. */
  close(): Promise<void>;
}

export interface GoSession {
  /** This end of its connection: nobody has read of it yet. */
  readonly socket: Socket;
  open(): Promise<GoStream>;
  accept(): Promise<GoStream>;
  /** In microseconds. */
  ping(): Promise<number>;
  goAway(): Promise<void>;
  /** Closes the connection with whatever is open on it. */
  end(): Promise<void>;
  /** `faults`: what its library has logged as an error. */
  status(): Promise<{ readonly streams: number; readonly closed: boolean; readonly faults: readonly string[] }>;
}

export interface YamuxGo extends AsyncDisposable {
  dial(options: GoSessionOptions): Promise<GoSession>;
}

interface Answer {
  readonly id: number;
  readonly error?: string;
  readonly stream?: number;
  readonly bytes: number;
  readonly sha256?: string;
  readonly ended?: GoRead['ended'];
  readonly streams: number;
  readonly closed: boolean;
  readonly faults?: readonly string[];
  readonly rttUs?: number;
}

type Command = Readonly<Record<string, string | number>> & { readonly op: string };
type Ask = (command: Command) => Promise<Answer>;

/**
 * Builds the program where it is not built yet: seconds the first time, for which Go's compiler and its module proxy are needed.
 *
 * @param go - the compiler.
 * @returns its path, in the cache folder of this user, named after what it was built of.
 */
export function buildYamuxGo(go: string): string {
  const sources = ['go.mod', 'go.sum', 'main.go'].map((name) => readFileSync(join(SOURCES, name), 'utf8'));
  const { XDG_CACHE_HOME: cache = '' } = process.env;
  const folder = join(cache === '' ? join(homedir(), '.cache') : cache, 'clusterlink-mcs-tests');
  const path = join(folder, `yamux-go-${hash('sha256', sources.join('\n'), 'hex').slice(0, 16)}`);
  if (isProgram(path)) return path;
  mkdirSync(folder, { recursive: true });
  const built = `${path}.${process.pid}`;
  const { status, stderr } = spawnSync(go, ['build', '-buildvcs=false', '-trimpath', '-o', built, '.'], {
    cwd: SOURCES,
    encoding: 'utf8',
    env: { ...process.env, CGO_ENABLED: '0' },
    timeout: BUILD_TIMEOUT_MS,
  });
  if (status !== 0) throw new Error(`go build of test/support/yamux-go has failed: ${stderr}`);
  renameSync(built, path);
  return path;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param program - of {@link buildYamuxGo}. */
export function startYamuxGo(program: string): YamuxGo {
  const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const waiting = new Map<number, PromiseWithResolvers<Answer>>();
  let lastId = 0;
  let lastSession = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as Answer;
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error === undefined) asked?.resolve(answer);
    else asked?.reject(new Error(`yamux-go: ${answer.error}`));
  });
  child.once('exit', (code, signal) => {
    for (const asked of waiting.values()) asked.reject(new Error(`yamux-go has ended: ${code ?? signal}`));
  });
  const ask: Ask = (command) => {
    const asked = Promise.withResolvers<Answer>();
    waiting.set(++lastId, asked);
    child.stdin.write(`${JSON.stringify({ id: lastId, ...command })}\n`);
    return asked.promise;
  };
  return {
    async dial(options) {
      const session = ++lastSession;
      const socket = await acceptOne((port) => ask(toDial(session, port, options)));
      return toSession(socket, (command) => ask({ session, ...command }));
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await exited;
    },
  };
}

function toDial(session: number, port: number, options: GoSessionOptions): Command {
  const { role, acceptBacklog = 256, windowBytes = 256 * 1024, closeTimeoutMs = 300_000 } = options;
  return { op: 'dial', session, port, role, acceptBacklog, windowBytes, closeTimeoutMs };
}

async function acceptOne(dial: (port: number) => Promise<unknown>): Promise<Socket> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const [[socket]] = await Promise.all([accepted, dial((server.address() as AddressInfo).port)]);
  server.close();
  return socket;
}

function toSession(socket: Socket, ask: Ask): GoSession {
  const toOpened = ({ stream = 0 }: Answer): GoStream => toStream(stream, (command) => ask({ stream, ...command }));
  return {
    socket,
    open: () => ask({ op: 'open' }).then(toOpened),
    accept: () => ask({ op: 'accept' }).then(toOpened),
    ping: async () => (await ask({ op: 'ping' })).rttUs ?? 0,
    goAway: async () => void (await ask({ op: 'goAway' })),
    end: async () => void (await ask({ op: 'end' })),
    async status() {
      const { streams, closed, faults = [] } = await ask({ op: 'status' });
      return { streams, closed, faults };
    },
  };
}

function toStream(id: number, ask: Ask): GoStream {
  return {
    id,
    async write(bytes, { pieceBytes = 65_536, pauseUs = 0, seed = id } = {}) {
      const { sha256 = '' } = await ask({ op: 'write', bytes, pieceBytes, pauseUs, seed });
      return { sha256 };
    },
    async read({ bytes = -1, pieceBytes = 65_536, pauseUs = 0 } = {}) {
      const answer = await ask({ op: 'read', bytes, pieceBytes, pauseUs });
      return { bytes: answer.bytes, sha256: answer.sha256 ?? '', ended: answer.ended ?? 'enough' };
    },
    close: async () => void (await ask({ op: 'close' })),
  };
}
