/**
 * Programs that run in pods, given to `node -e` of the product's own image, so that a cluster needs no other registry. They are
 * functions without anything from around them; {@link toScript} writes one down.
 */
import type { Server } from 'node:http';

/** CommonJS: `node -e` has `require`, and no imports. */
declare const require: NodeJS.Require;

export function toScript(program: () => void): string {
  return `(${program.toString()})()`;
}

/** Answers HTTP at 8080 with its name. At 7000 it says its name and then everything that it is told. */
export function serve(): void {
  const net = require('node:net') as typeof import('node:net');
  const http = require('node:http') as typeof import('node:http');
  const me = `${process.env['WHO'] ?? ''}\n`;
  http.createServer((_, response) => response.end(me)).listen(8080);
  net
    .createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(me);
      socket.pipe(socket);
    })
    .listen(7000);
  process.on('SIGTERM', () => process.exit());
}

/** A pod in which tests run commands. */
export function idle(): void {
  setInterval(() => undefined, 60_000);
  process.on('SIGTERM', () => process.exit());
}

/**
 * Holds one connection to HOST:PORT and says something five times a second. Prints a line of JSON when it is open, and one when it
 * is over: how, after which time.
 */
export function hold(): void {
  const net = require('node:net') as typeof import('node:net');
  const [host = '', port = ''] = process.argv.slice(1);
  const print = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`);
  const startedMs = performance.now();
  const socket = net.connect({ host, port: Number(port) });
  const talking = setInterval(() => socket.write('x\n'), 200);
  let isOpen = false;
  let why = '';
  socket.on('data', (data: Buffer) => {
    if (isOpen) return;
    isOpen = true;
    print({ event: 'open', who: data.toString().split('\n')[0] });
  });
  socket.on('end', () => (why = 'END'));
  socket.on('error', (error: NodeJS.ErrnoException) => (why = error.code ?? error.message));
  socket.on('close', () => {
    clearInterval(talking);
    print({ event: 'over', why, wasOpen: isOpen, afterMs: Math.round(performance.now() - startedMs) });
  });
}

/** What {@link load} answers at 8090. */
export interface LoadReport {
  readonly started: number;
  readonly ok: number;
  /** Connections that did not end well: when (ms since 1970), and how. The first 1,000. */
  readonly failed: readonly { readonly at: number; readonly why: string }[];
  readonly failedCount: number;
  /** By second since 1970: connections that ended well. */
  readonly perSecond: Readonly<Record<string, number>>;
  readonly long: readonly LongTransfer[];
}

export interface LongTransfer {
  readonly localPort: number;
  readonly bytes: number;
  /** Absent while it goes on. */
  readonly endedAt?: number;
  readonly why?: string;
  /** Bytes that came back were not those that were sent. */
  readonly corrupt: boolean;
  /** It was reset, and another connection was opened from the same port at once: `greeted`, or what became of it. */
  readonly again?: string;
}

/**
 * Opens RATE connections a second to HOST:PORT, each with a round trip and a clean end, beside LONG transfers that go on. A
 * connection counts as failed also where it takes ten seconds.
 */
export function load(): void {
  const net = require('node:net') as typeof import('node:net');
  const http = require('node:http') as typeof import('node:http');
  const { HOST: host = '', PORT = '', RATE = '0', LONG = '0' } = process.env;
  const port = Number(PORT);
  const report = {
    started: 0,
    ok: 0,
    failed: [] as { at: number; why: string }[],
    failedCount: 0,
    perSecond: {} as Record<string, number>,
    long: [] as {
      localPort: number;
      bytes: number;
      endedAt?: number;
      why?: string;
      corrupt: boolean;
      again?: string;
    }[],
  };

  function once(): void {
    report.started++;
    const socket = net.connect({ host, port });
    let text = '';
    let phase = 'connect';
    let problem: string | undefined;
    socket.setTimeout(10_000, () => socket.destroy(new Error('timeout')));
    socket.on('connect', () => (phase = 'greeting'));
    socket.on('data', (data: Buffer) => {
      text += data.toString();
      const lines = text.split('\n').length - 1;
      if (phase === 'greeting' && lines >= 1) {
        phase = 'echo';
        socket.write('echo\n');
      } else if (phase === 'echo' && lines >= 2) {
        phase = 'end';
        socket.end();
      }
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (problem = error.code ?? error.message));
    socket.on('close', () => {
      if (problem === undefined && phase === 'end') {
        report.ok++;
        const second = String(Math.floor(Date.now() / 1000));
        report.perSecond[second] = (report.perSecond[second] ?? 0) + 1;
        return;
      }
      report.failedCount++;
      if (report.failed.length < 1000) report.failed.push({ at: Date.now(), why: `${phase}: ${problem ?? 'ended'}` });
    });
  }

  /** 8 KiB ten times a second, each byte told by its place, and the same expected back. */
  function transfer(): void {
    const entry: (typeof report.long)[number] = { localPort: 0, bytes: 0, corrupt: false };
    report.long.push(entry);
    const socket = net.connect({ host, port });
    let sent = 0;
    let isGreeted = false;
    const patternAt = (offset: number): number => (offset * 31 + (offset >> 8)) & 0xff;
    const timer = setInterval(() => {
      const block = Buffer.alloc(8192);
      for (let index = 0; index < block.length; index++) block[index] = patternAt(sent + index);
      sent += block.length;
      socket.write(block);
    }, 100);
    socket.on('connect', () => (entry.localPort = socket.localPort ?? 0));
    socket.on('data', (data: Buffer) => {
      let start = 0;
      if (!isGreeted) {
        start = data.indexOf(10) + 1;
        if (start === 0) return;
        isGreeted = true;
      }
      for (let index = start; index < data.length; index++) {
        if (data[index] !== patternAt(entry.bytes)) entry.corrupt = true;
        entry.bytes++;
      }
    });
    socket.on('end', () => (entry.why ??= 'END'));
    socket.on('error', (error: NodeJS.ErrnoException) => (entry.why = error.code ?? error.message));
    socket.on('close', () => {
      clearInterval(timer);
      entry.endedAt = Date.now();
      if (entry.why === 'ECONNRESET') callAgain(entry);
    });
  }

  /** Clients with many connections come back to a port soon; one that was reset is free at once, and the node remembers it. */
  function callAgain(entry: (typeof report.long)[number]): void {
    const socket = net.connect({ host, port, localPort: entry.localPort });
    socket.setTimeout(10_000, () => socket.destroy(new Error('timeout')));
    socket.on('data', () => {
      entry.again = 'greeted';
      socket.end();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (entry.again ??= error.code ?? error.message));
    socket.on('close', () => (entry.again ??= 'ended'));
  }

  const rate = Number(RATE);
  if (rate > 0) {
    const beganMs = performance.now();
    // As many as are due: timers come late on a busy machine.
    setInterval(() => {
      const due = ((performance.now() - beganMs) * rate) / 1000;
      for (let burst = 0; burst < 50 && report.started < due; burst++) once();
    }, 5);
  }
  for (let index = 0; index < Number(LONG); index++) transfer();
  const server: Server = http.createServer((_, response) => response.end(JSON.stringify(report)));
  server.listen(8090);
  process.on('SIGTERM', () => process.exit());
}
