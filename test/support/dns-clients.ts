/** Clients of a DNS server: `dig`, a datagram socket, a TCP connection that can do everything wrong. */
import { execFile } from 'node:child_process';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import type { Counter, DropReason } from '#src/dns/counts.ts';
import { FIXTURE_ROWS } from './dns-fixture.ts';

const run = promisify(execFile);
/** For any one wait of these clients: only reached where the test fails. */
const DEADLINE_MS = 4_000;

export interface DigAnswer {
  readonly status: string;
  /** `qr aa rd`. */
  readonly flags: readonly string[];
  /** Names as they were written on the wire, without the trailing dot. */
  readonly owners: readonly string[];
  /** Sorted, in the form of the fixture: an address, `port target`, a text. */
  readonly answers: readonly string[];
  /** Types of the authority section. */
  readonly authority: readonly string[];
  readonly text: string;
}

/** @param dig - its path. @throws when it complains about the message or gets none. */
export async function runDig(dig: string, port: number, args: readonly string[]): Promise<DigAnswer> {
  const common = ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=3', '+noidnout', '+noidnin'];
  const { stdout } = await run(dig, [...common, ...args], { timeout: DEADLINE_MS });
  if (/malformed|mismatch|Truncated message|no servers could be reached/i.test(stdout)) throw new Error(stdout);
  const section = (name: string): string[][] => {
    const [, lines = ''] = new RegExp(`;; ${name} SECTION:\n((?:[^;\n].*\n)+)`).exec(stdout) ?? [];
    return lines
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(/\s+/));
  };
  const answers = section('ANSWER');
  return {
    status: /status: (\w+)/.exec(stdout)?.[1] ?? '',
    flags: /;; flags: ([\w ]*);/.exec(stdout)?.[1]?.split(' ') ?? [],
    owners: answers.map(([owner = '']) => owner.replace(/\.$/, '')),
    answers: answers.map(([, , , type, ...data]) => toFixtureText(type, data)).sort(),
    authority: section('AUTHORITY').map(([, , , type = '']) => type),
    text: stdout,
  };
}

/** The types that the fixture asks for; others stay as dig writes them. */
function toFixtureText(type: string | undefined, data: readonly string[]): string {
  const isKnown = FIXTURE_ROWS.some((row) => row.type === type);
  if (type === 'SRV') return `${data[2]} ${data[3]?.replace(/\.$/, '')}`;
  return isKnown ? data.join(' ').replaceAll('"', '') : data.join(' ');
}

export interface UdpClient extends AsyncDisposable {
  send(message: Buffer): void;
  /** The next datagram. */
  receive(): Promise<Buffer>;
}

/** @param from - the address to send from; @param to - the server's. */
export async function openUdpClient(port: number, from = '127.0.0.1', to = '127.0.0.1'): Promise<UdpClient> {
  const socket: UdpSocket = createSocket('udp4');
  const inbox = makeInbox();
  socket.on('message', (message) => inbox.put(message));
  socket.bind(0, from);
  await once(socket, 'listening');
  return {
    send: (message) => socket.send(message, port, to),
    receive: () => inbox.take(),
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

/** One question, one answer. */
export async function askByUdp(port: number, query: Buffer): Promise<Buffer> {
  await using client = await openUdpClient(port);
  client.send(query);
  return await client.receive();
}

export interface TcpClient extends AsyncDisposable {
  readonly socket: Socket;
  /** The next reply, without its length. */
  receive(): Promise<Buffer>;
  /** Resolves when the server has closed or reset the connection. */
  closed(): Promise<void>;
}

export async function openTcpClient(port: number, from = '127.0.0.1'): Promise<TcpClient> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true });
  const inbox = makeInbox();
  const gone = new Promise<void>((resolve) => {
    socket.once('end', () => resolve()).once('close', () => resolve());
  });
  let input: Buffer = Buffer.alloc(0);
  // A reset is one of the ways in which a server may end it.
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    input = Buffer.concat([input, chunk]);
    while (input.length >= 2 && input.length >= 2 + input.readUInt16BE(0)) {
      const end = 2 + input.readUInt16BE(0);
      inbox.put(input.subarray(2, end));
      input = input.subarray(end);
    }
  });
  await once(socket, 'connect');
  return {
    socket,
    receive: () => inbox.take(),
    closed: () => withDeadline(gone, 'the connection stays open'),
    [Symbol.asyncDispose]: async () => {
      const isClosed = socket.closed ? Promise.resolve() : once(socket, 'close');
      socket.destroy();
      await isClosed;
    },
  };
}

/** The same over a connection of its own. */
export async function askByTcp(port: number, query: Buffer): Promise<Buffer> {
  await using client = await openTcpClient(port);
  client.socket.write(toFrame(query));
  return await client.receive();
}

/** With its length before it. */
export function toFrame(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** Messages in the order in which they came. */
function makeInbox(): { put(message: Buffer): void; take(): Promise<Buffer> } {
  const messages: Buffer[] = [];
  let wake: (() => void) | undefined;
  return {
    put(message) {
      messages.push(message);
      wake?.();
    },
    async take() {
      if (messages.length === 0)
        await withDeadline(new Promise<void>((resolve) => (wake = resolve)), 'no message came');
      const message = messages.shift();
      if (message === undefined) throw new Error('two readers of one inbox');
      return message;
    },
  };
}

async function withDeadline(wanted: Promise<void>, otherwise: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), DEADLINE_MS);
  });
  await Promise.race([wanted, deadline]).finally(() => clearTimeout(timer));
}

export interface CountingMetrics extends Counter {
  /** `udp rate-limited` and so on, in order. */
  readonly drops: string[];
  /** `udp A NOERROR` and so on, in order. */
  readonly replies: string[];
  /** Resolves when there is such a drop. */
  dropped(reason: DropReason): Promise<void>;
}

export function makeCountingMetrics(): CountingMetrics {
  const drops: string[] = [];
  const replies: string[] = [];
  const waiting: (() => void)[] = [];
  const has = (reason: DropReason): boolean => drops.some((drop) => drop.endsWith(` ${reason}`));
  return {
    drops,
    replies,
    countReply: (transport, path, type, rcode) => void replies.push(`${transport} ${path} ${type} ${rcode}`),
    countDrop(transport, reason) {
      drops.push(`${transport} ${reason}`);
      for (const check of waiting) check();
    },
    dropped: (reason) => {
      const seen = new Promise<void>((resolve) => {
        const check = (): void => (has(reason) ? resolve() : undefined);
        waiting.push(check);
        check();
      });
      return withDeadline(seen, `nothing was dropped as ${reason}`);
    },
  };
}
